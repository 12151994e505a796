import type { ServerSocket, SocketEvent } from "../upgrade.ts";
import type { BunSocketOwner, BunWebSocket } from "./types.ts";

/** A WebSocket of `Bun.serve` with the interface of a web `WebSocket`. */
export class BunSocket implements ServerSocket, BunSocketOwner {
  binaryType = "arraybuffer";
  readonly #listeners = new Map<SocketEvent, EventListenerObject>();
  #socket: BunWebSocket | undefined;

  get bufferedAmount(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  get readyState(): number {
    return this.#socket?.readyState ?? WebSocket.CONNECTING;
  }

  send(text: string): void {
    this.#socket?.send(text);
  }

  close(code?: number, reason?: string): void {
    this.#socket?.close(code, reason);
  }

  terminate(): void {
    this.#socket?.terminate();
  }

  addEventListener(type: SocketEvent, listener: EventListenerObject): void {
    this.#listeners.set(type, listener);
  }

  removeEventListener(type: SocketEvent, listener: EventListenerObject): void {
    if (this.#listeners.get(type) === listener) this.#listeners.delete(type);
  }

  opened(socket: BunWebSocket): void {
    this.#socket = socket;
    // Bun calls this while it upgrades, when nobody listens yet.
    queueMicrotask(() => this.#emit(new Event("open")));
  }

  received(data: string | Uint8Array): void {
    this.#emit(new MessageEvent("message", { data }));
  }

  closed(code: number, reason: string): void {
    // Bun reports 1006 for a connection that was lost, as the standard does.
    this.#emit(new CloseEvent("close", { code, reason, wasClean: code !== 1006 }));
  }

  #emit(event: Event): void {
    this.#listeners.get(event.type as SocketEvent)?.handleEvent(event);
  }
}
