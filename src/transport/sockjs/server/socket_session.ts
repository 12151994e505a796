import { type ServerSocket, stopIdleTimer, terminate } from "../../../runtime/upgrade.ts";
import type { CloseInfo } from "../../session.ts";
import { frameLimit, ServerSession, type SessionHost } from "./session.ts";

/** Milliseconds within which a WebSocket must open, and within which a peer must answer a close. */
export const SOCKET_GRACE = 5_000;

/** Maximum bytes (UTF-8) of the reason in a WebSocket close frame (RFC 6455, 5.5). */
const CLOSE_REASON_BYTES = 123;

const EVENTS = ["open", "message", "close", "error"] as const;

const LOST: CloseInfo = Object.freeze({ code: 1006, reason: "Connection lost" });

/**
 * A session over one WebSocket. To save memory, it is itself the event listener of the socket, and it
 * does not keep the upgrade request.
 */
export abstract class SocketSession extends ServerSession implements EventListenerObject {
  readonly #socket: ServerSocket;
  /** The deadline for the socket to open or close; 0 if there is none. */
  #deadline: number;
  /** Texts written before the socket opened. */
  #waiting: string[] | undefined = [];

  constructor(host: SessionHost, remoteAddress: string, socket: ServerSocket) {
    super(host, remoteAddress);
    this.#socket = socket;
    this.#deadline = host.now + SOCKET_GRACE;
    socket.binaryType = "arraybuffer";
    for (const type of EVENTS) socket.addEventListener(type, this);
  }

  /** Handles the events of the socket. Not for callers. */
  handleEvent(event: Event): void {
    switch (event.type) {
      case "message":
        this.#received((event as MessageEvent<string | ArrayBuffer>).data);
        break;
      case "open":
        this.#opened();
        break;
      case "close": // may be emitted twice; finish ignores the second one
        stopIdleTimer(this.#socket);
        this.finish((event as CloseEvent).wasClean ? closeInfoOf(event as CloseEvent) : LOST);
        break;
      default: // "close" should follow an error
        this.#deadline ||= this.host.now + SOCKET_GRACE;
    }
  }

  sweep(now: number): void {
    if (this.#deadline !== 0) {
      if (now >= this.#deadline) this.abandon();
    } else if (this.host.heartbeat > 0 && now - this.lastSent >= this.host.heartbeat) {
      this.lastSent = now;
      this.beat();
    }
  }

  abandon(): void {
    // The runtime may keep the socket of a silent peer for a long time, but it must not keep the session.
    for (const type of EVENTS) this.#socket.removeEventListener(type, this);
    if (this.#socket.readyState !== WebSocket.CLOSED) this.#socket.close();
    stopIdleTimer(this.#socket);
    terminate(this.#socket);
    this.finish(LOST);
  }

  protected get unsent(): number {
    let unsent = this.#socket.bufferedAmount;
    if (this.#waiting !== undefined) {
      for (const text of this.#waiting) unsent += text.length;
    }
    return unsent;
  }

  protected shut(info: CloseInfo): void {
    this.#deadline = this.host.now + SOCKET_GRACE;
    if (this.#waiting !== undefined) return; // closed after the open event
    this.farewell(info);
    this.#socket.close(info.code, shortened(info.reason));
  }

  protected discard(): void {
    if (this.#waiting !== undefined) this.#waiting = [];
  }

  /** Sends a text as soon as the socket is open. */
  protected transmit(text: string): void {
    if (this.#waiting !== undefined) {
      this.#waiting.push(text);
    } else if (this.#socket.readyState === WebSocket.OPEN) {
      this.#socket.send(text);
    }
  }

  /** Handles a text from the peer. */
  protected abstract read(text: string): void;

  /** Sends the first frame, if the protocol has one. */
  protected abstract greet(): void;

  /** Sends a heartbeat, if the protocol has one. */
  protected abstract beat(): void;

  /** Sends the protocol's own close frame, if it has one. */
  protected abstract farewell(info: CloseInfo): void;

  #opened(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#deadline = 0;
    this.greet();
    for (const text of waiting) this.transmit(text);
    if (this.ending !== undefined) this.shut(this.ending);
  }

  #received(data: string | ArrayBuffer): void {
    if (!this.isOpen) return;
    const size = typeof data === "string" ? data.length : data.byteLength;
    if (size > frameLimit(this.host.limits)) {
      this.refuse();
    } else {
      this.read(typeof data === "string" ? data : new TextDecoder().decode(data));
    }
  }
}

/** Copies the data of the event, which would keep its socket in memory. */
function closeInfoOf({ code, reason }: CloseEvent): CloseInfo {
  return { code, reason };
}

function shortened(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(CLOSE_REASON_BYTES));
  return reason.slice(0, read);
}
