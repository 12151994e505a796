import { type ServerSocket, stopIdleTimer, terminate } from "../../runtime/upgrade.ts";
import type { MessageSocket, SocketHandler } from "./socket.ts";

/** Maximum bytes (UTF-8) of the reason in a WebSocket close frame (RFC 6455, 5.5). */
const CLOSE_REASON_BYTES = 123;

const EVENTS = ["open", "message", "close", "error"] as const;

const TOO_LONG = "message too long";
const LOST = "the connection was lost";

/** The server's side of a WebSocket that the runtime has accepted. The runtime pings silent peers. */
export class AcceptedSocket implements MessageSocket, EventListenerObject {
  readonly remoteAddress = "";
  readonly #socket: ServerSocket;
  readonly #maxBytes: number;
  readonly #handler: SocketHandler;
  #hasEnded = false;

  constructor(socket: ServerSocket, maxBytes: number, handler: SocketHandler) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#handler = handler;
    socket.binaryType = "arraybuffer";
    for (const type of EVENTS) socket.addEventListener(type, this);
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  send(text: string): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
  }

  ping(): boolean {
    return false;
  }

  close(code: number, reason: string): void {
    if (this.#socket.readyState <= WebSocket.OPEN) this.#socket.close(code, shortened(reason));
  }

  terminate(): void {
    // The runtime may keep the socket of a silent peer for a long time.
    for (const type of EVENTS) this.#socket.removeEventListener(type, this);
    if (this.#socket.readyState !== WebSocket.CLOSED) this.#socket.close();
    stopIdleTimer(this.#socket);
    terminate(this.#socket);
    this.#end(1006, LOST);
  }

  /** Handles the events of the socket. Not for callers. */
  handleEvent(event: Event): void {
    switch (event.type) {
      case "message":
        return this.#received((event as MessageEvent<string | ArrayBuffer>).data);
      case "open":
        return this.#handler.onOpen(this);
      case "close": {
        stopIdleTimer(this.#socket);
        const { wasClean, code, reason } = event as CloseEvent;
        return wasClean ? this.#end(code, reason) : this.#end(1006, LOST);
      }
      default:
        // "close" should follow an error.
        return this.#handler.onClosing();
    }
  }

  #received(data: string | ArrayBuffer): void {
    if (this.#hasEnded) return;
    this.#handler.onAlive();
    const size = typeof data === "string" ? data.length : data.byteLength;
    if (size > this.#maxBytes) return this.#refuse();
    this.#handler.onText(typeof data === "string" ? data : new TextDecoder().decode(data));
  }

  #refuse(): void {
    if (this.#handler.onViolation !== undefined) this.#handler.onViolation(1009, TOO_LONG);
    else this.close(1009, TOO_LONG);
  }

  /** The runtime may emit the end twice. */
  #end(code: number, reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#handler.onClose(code, reason);
  }
}

function shortened(reason: string): string {
  const { read } = new TextEncoder().encodeInto(reason, new Uint8Array(CLOSE_REASON_BYTES));
  return reason.slice(0, read);
}
