import type { Message } from "../../transport/message.ts";
import type { ServerStream } from "../../runtime/http1/connection.ts";
import {
  decodeUpstream,
  encodeClose,
  encodeMessages,
  HEARTBEAT_FRAME,
  OPEN_FRAME,
} from "../../transport/sockjs/frames.ts";
import type { CloseInfo, Session } from "../../transport/session.ts";
import type { IncomingBytes, Receiving } from "../../transport/sockjs/server/incoming_bytes.ts";
import type { MessageSocket, SocketHandler } from "../../transport/websocket/socket.ts";

/** The listener of a {@linkcode TunnelEnd}. */
export interface TunnelEndHandler {
  onMessages(messages: readonly string[]): void;
  /** Called once, when the session has ended. */
  onClose(): void;
}

/** One of the two sessions that a tunnel joins. */
export interface TunnelEnd {
  /** Bytes that wait to be sent to the peer. */
  readonly queued: number;
  /** Resolves when they are sent. One call at a time; after the end of the session, it may not resolve. */
  drained(): Promise<void>;
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

/** A SockJS session over a WebSocket that the proxy accepted. It is not read before `start`. */
export class SocketEnd implements TunnelEnd, SocketHandler, Receiving {
  readonly remoteAddress: string;
  readonly #stream: ServerStream;
  readonly #incoming: IncomingBytes;
  #socket: MessageSocket | undefined;
  #handler: TunnelEndHandler | undefined;
  #isAlive = true;
  #isPaused = true;
  #isClosing = false;
  #isClosed = false;

  /**
   * @param incoming counts the bytes of incomplete messages
   * @param remoteAddress whose bytes they are; `""` for nobody's in particular
   */
  constructor(stream: ServerStream, incoming: IncomingBytes, remoteAddress: string) {
    this.#stream = stream;
    this.#incoming = incoming;
    this.remoteAddress = remoteAddress;
  }

  get queued(): number {
    return this.#stream.bufferedAmount;
  }

  drained(): Promise<void> {
    return this.#stream.drained();
  }

  start(handler: TunnelEndHandler): void {
    this.#handler = handler;
    if (this.#isClosed) handler.onClose();
    else this.resume();
  }

  send(messages: readonly string[]): void {
    this.#socket?.send(encodeMessages(messages));
  }

  pause(): void {
    this.#isPaused = true;
    // A paused stream would not see the peer's answer to a close.
    if (!this.#isClosing) this.#stream.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#stream.resume();
  }

  beat(): void {
    // Answers to heartbeats cannot arrive while the session is not read.
    if (!this.#isAlive && !this.#isPaused) return this.#socket?.terminate();
    this.#isAlive = false;
    this.#socket?.ping();
    this.#socket?.send(HEARTBEAT_FRAME);
  }

  close({ code, reason }: CloseInfo): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.resume();
    this.#socket?.send(encodeClose(code, reason));
    this.#socket?.close(code, reason);
  }

  onOpen(socket: MessageSocket): void {
    this.#socket = socket;
    this.#stream.pause();
    socket.send(OPEN_FRAME);
  }

  onText(text: string): void {
    if (this.#isClosing) return;
    const messages = decodeUpstream(text);
    if (messages === undefined || !messages.every(isText)) this.close(BROKEN);
    else if (messages.length > 0) this.#handler?.onMessages(messages);
  }

  onAlive(): void {
    this.#isAlive = true;
  }

  onClosing(): void {
    this.#isClosing = true;
  }

  onHold(bytes: number): boolean {
    return this.#incoming.take(this, bytes, Infinity);
  }

  onFree(bytes: number): void {
    this.#incoming.release(this, bytes);
  }

  onClose(): void {
    this.#isClosing = true;
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
  #draining: ReturnType<typeof setInterval> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  get queued(): number {
    return this.#session.bufferedAmount;
  }

  drained(): Promise<void> {
    return new Promise((resolve) => {
      clearInterval(this.#draining);
      this.#draining = setInterval(() => {
        if (this.#session.bufferedAmount > 0) return;
        clearInterval(this.#draining);
        resolve();
      }, DRAIN_INTERVAL);
    });
  }

  start(handler: TunnelEndHandler): void {
    this.#session.attach({
      onMessage: (message) => {
        if (isText(message)) handler.onMessages([message]);
        else this.close(BROKEN);
      },
      onClose: () => {
        clearInterval(this.#draining);
        handler.onClose();
      },
    });
  }

  send(messages: readonly string[]): void {
    for (const message of messages) this.#session.send(message);
  }

  pause(): void {
    // Not possible, since each request is read as a whole.
  }

  resume(): void {}

  beat(): void {}

  close({ code, reason }: CloseInfo): void {
    this.#session.close(code, reason);
  }
}

/** Compact messages are not used through a tunnel (docs/protocol.md §8). */
function isText(message: Message): message is string {
  return typeof message === "string";
}
