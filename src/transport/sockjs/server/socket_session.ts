import type { MessageSocket, SocketHandler } from "../../websocket/socket.ts";
import type { EncodedText } from "../../encoded_text.ts";
import type { CloseInfo } from "../../session.ts";
import { frameLimit } from "./incoming_bytes.ts";
import { ServerSession, type SessionHost } from "./session.ts";

/** Milliseconds within which a WebSocket must open, and within which a peer must answer a close. */
export const SOCKET_GRACE = 5_000;

/** Milliseconds of silence after which a peer is pinged, and disconnected if it does not answer. */
const IDLE_TIMEOUT = 30_000;

const LOST: CloseInfo = Object.freeze({ code: 1006, reason: "Connection lost" });

/** A session over one WebSocket. */
export abstract class SocketSession extends ServerSession implements SocketHandler {
  #socket: MessageSocket | undefined;
  /** The deadline for the socket to open or close; 0 if there is none. */
  #deadline: number;
  /** When the peer was last heard. */
  #heardAt: number;
  /** When the peer was pinged; 0 if it has been heard since. */
  #pingedAt = 0;
  /** Texts written before the socket opened. */
  #waiting: (string | EncodedText)[] | undefined = [];

  constructor(host: SessionHost, remoteAddress: string) {
    super(host, remoteAddress);
    this.#heardAt = host.now;
    this.#deadline = host.now + SOCKET_GRACE;
  }

  /**
   * Sets the socket, once.
   *
   * @param open creates the socket, whose events this session handles
   */
  use(open: (handler: SocketHandler) => MessageSocket): void {
    this.#socket = open(this);
  }

  sweep(now: number): void {
    if (this.#deadline !== 0) {
      if (now >= this.#deadline) this.abandon();
      return;
    }
    this.#checkSilence(now);
    if (this.host.heartbeat > 0 && now - this.lastSent >= this.host.heartbeat) {
      this.lastSent = now;
      this.beat();
    }
  }

  abandon(): void {
    this.#socket?.terminate();
    this.finish(LOST);
  }

  onOpen(socket: MessageSocket): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#socket = socket;
    this.#waiting = undefined;
    this.#deadline = 0;
    this.greet();
    for (const text of waiting) this.transmit(text);
    if (this.ending !== undefined) this.shut(this.ending);
  }

  onText(text: string): void {
    if (this.isOpen) this.read(text);
  }

  onAlive(): void {
    this.#heardAt = this.host.now;
    this.#pingedAt = 0;
  }

  onClosing(): void {
    this.#deadline ||= this.host.now + SOCKET_GRACE;
  }

  onViolation(code: number, reason: string): void {
    if (code === 1009) this.refuse();
    else this.stop({ code, reason });
  }

  onHold(bytes: number): boolean {
    return this.host.incoming.take(this, bytes, frameLimit(this.host.limits));
  }

  onFree(bytes: number): void {
    this.host.incoming.release(this, bytes);
  }

  onClose(code: number, reason: string): void {
    this.finish(code === LOST.code ? LOST : { code, reason });
  }

  protected get unsent(): number {
    let unsent = this.#socket?.bufferedAmount ?? 0;
    if (this.#waiting !== undefined) {
      for (const text of this.#waiting) {
        unsent += typeof text === "string" ? text.length : text.byteLength;
      }
    }
    return unsent;
  }

  protected shut(info: CloseInfo): void {
    this.#deadline = this.host.now + SOCKET_GRACE;
    if (this.#waiting !== undefined) return; // closed after the open event
    this.farewell(info);
    this.#socket?.close(info.code, info.reason);
  }

  protected discard(): void {
    if (this.#waiting !== undefined) this.#waiting = [];
  }

  /** Sends a text as soon as the socket is open. */
  protected transmit(text: string | EncodedText): void {
    const socket = this.#socket;
    if (this.#waiting !== undefined) this.#waiting.push(text);
    else if (typeof text === "string") socket?.send(text);
    else if (socket?.sendEncoded === undefined) socket?.send(text.toString());
    else socket.sendEncoded(text);
  }

  /** Handles a text from the peer. */
  protected abstract read(text: string): void;

  /** Sends the first frame, if the protocol has one. */
  protected abstract greet(): void;

  /** Sends a heartbeat, if the protocol has one. */
  protected abstract beat(): void;

  /** Sends the protocol's own close frame, if it has one. */
  protected abstract farewell(info: CloseInfo): void;

  #checkSilence(now: number): void {
    if (this.#pingedAt === 0) {
      if (now - this.#heardAt < IDLE_TIMEOUT || this.#socket?.ping() !== true) return;
      this.#pingedAt = now;
    } else if (now - this.#pingedAt >= IDLE_TIMEOUT) {
      this.abandon();
    }
  }
}
