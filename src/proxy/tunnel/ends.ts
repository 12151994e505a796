import type { Message } from "../../transport/message.ts";
import type { AcceptedSocket, AcceptedSocketHandler } from "../../runtime/forwarding/types.ts";
import {
  decodeUpstream,
  encodeClose,
  encodeMessages,
  HEARTBEAT_FRAME,
  OPEN_FRAME,
} from "../../transport/sockjs/frames.ts";
import type { CloseInfo, Session } from "../../transport/session.ts";

/** The listener of a {@linkcode TunnelEnd}. */
export interface TunnelEndHandler {
  onMessages(messages: readonly string[]): void;
  /** Called when fewer bytes wait than before. */
  onDrain(): void;
  /** Called once, when the session has ended. */
  onClose(): void;
}

/** One of the two sessions that a tunnel joins. */
export interface TunnelEnd {
  /** Bytes that wait to be sent to the peer. */
  readonly queued: number;
  /** Starts delivering messages, including those received before. Call it once. */
  start(handler: TunnelEndHandler): void;
  send(messages: readonly string[]): void;
  /** Stops reading, if the transport supports that. */
  pause(): void;
  resume(): void;
  /** Sends a heartbeat. Closes the session if the peer has not answered the last one. */
  beat(): void;
  close(info: CloseInfo): void;
}

const BROKEN: CloseInfo = Object.freeze({ code: 1002, reason: "Broken framing" });
/** Milliseconds for a peer to answer a close. */
const CLOSE_TIMEOUT = 2_000;

/** A SockJS session over a WebSocket that the proxy accepted. It is not read before `start`. */
export class SocketEnd implements TunnelEnd, AcceptedSocketHandler {
  readonly #socket: AcceptedSocket;
  #handler: TunnelEndHandler | undefined;
  #isAlive = true;
  #isPaused = true;
  #isClosed = false;
  #closing: ReturnType<typeof setTimeout> | undefined;
  readonly #sent = (): void => this.#handler?.onDrain();

  constructor(socket: AcceptedSocket) {
    this.#socket = socket;
    socket.pause();
    socket.send(OPEN_FRAME);
  }

  get queued(): number {
    return this.#socket.bufferedAmount;
  }

  start(handler: TunnelEndHandler): void {
    this.#handler = handler;
    if (this.#isClosed) handler.onClose();
    else this.resume();
  }

  send(messages: readonly string[]): void {
    if (this.#closing === undefined) this.#socket.send(encodeMessages(messages), this.#sent);
  }

  pause(): void {
    this.#isPaused = true;
    if (this.#closing === undefined) this.#socket.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#socket.resume();
  }

  beat(): void {
    // Answers to heartbeats cannot arrive while the session is not read.
    if (!this.#isAlive && !this.#isPaused) return this.#socket.terminate();
    this.#isAlive = false;
    this.#socket.ping();
    this.#socket.send(HEARTBEAT_FRAME);
  }

  close({ code, reason }: CloseInfo): void {
    if (this.#closing !== undefined || this.#isClosed) return;
    this.#socket.send(encodeClose(code, reason));
    this.#socket.close(code, reason);
    this.#closing = setTimeout(() => this.#socket.terminate(), CLOSE_TIMEOUT);
  }

  onText(text: string): void {
    this.#isAlive = true;
    if (this.#closing !== undefined) return;
    const messages = decodeUpstream(text);
    if (messages === undefined || !messages.every(isText)) this.close(BROKEN);
    else if (messages.length > 0) this.#handler?.onMessages(messages);
  }

  onPong(): void {
    this.#isAlive = true;
  }

  onClose(): void {
    clearTimeout(this.#closing);
    this.#isClosed = true;
    this.#handler?.onClose();
  }
}

/**
 * Milliseconds between two checks whether a session has sent its bytes, since it has no event for
 * it.
 */
const DRAIN_INTERVAL = 20;

/**
 * A session of one of the HTTP transports. It cannot be paused. The server sends its heartbeats.
 */
export class SessionEnd implements TunnelEnd {
  readonly #session: Session;
  #handler: TunnelEndHandler | undefined;
  #draining: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  get queued(): number {
    return this.#session.bufferedAmount;
  }

  start(handler: TunnelEndHandler): void {
    this.#handler = handler;
    this.#session.attach({
      onMessage: (message) => {
        if (isText(message)) handler.onMessages([message]);
        else this.close(BROKEN);
      },
      onClose: () => {
        clearTimeout(this.#draining);
        handler.onClose();
      },
    });
  }

  send(messages: readonly string[]): void {
    for (const message of messages) this.#session.send(message);
    this.#draining ??= setTimeout(this.#drain, DRAIN_INTERVAL);
  }

  pause(): void {
    // Not possible, since each request is read as a whole.
  }

  resume(): void {}

  beat(): void {}

  close({ code, reason }: CloseInfo): void {
    this.#session.close(code, reason);
  }

  readonly #drain = (): void => {
    this.#draining = undefined;
    if (!this.#session.isOpen) return;
    this.#handler?.onDrain();
    if (this.#session.bufferedAmount > 0) {
      this.#draining = setTimeout(this.#drain, DRAIN_INTERVAL);
    }
  };
}

/** Compact messages are not used through a tunnel (docs/protocol.md §8). */
function isText(message: Message): message is string {
  return typeof message === "string";
}
