import {
  CLOSE_TIMEOUT,
  HandshakeRefused,
  type MessageSocket,
  type SocketHandler,
  type SocketOptions,
} from "./socket.ts";
import { displayUrl } from "../url.ts";

/**
 * Opens the runtime's own WebSocket, for browsers. It supports neither headers nor pings, and does not
 * distinguish a refused handshake from an unreachable host; both count as refused.
 */
export function openNativeSocket(
  url: URL,
  options: SocketOptions,
  handler: SocketHandler,
): Promise<MessageSocket> {
  const address = new URL(url);
  address.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return adoptNativeSocket(new WebSocket(address), url, options, handler);
}

/**
 * Takes over a WebSocket of the runtime that is open or about to open.
 *
 * @throws {HandshakeRefused} if it is closed before it is open; the reason of the signal if aborted
 */
export function adoptNativeSocket(
  native: WebSocket,
  url: URL,
  options: SocketOptions,
  handler: SocketHandler,
): Promise<MessageSocket> {
  const { signal } = options;
  native.binaryType = "arraybuffer";
  const { promise, resolve, reject } = Promise.withResolvers<MessageSocket>();
  let socket: NativeSocket | undefined;
  const abort = () => {
    native.close();
    reject(signal.reason);
  };
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  const open = () => {
    signal.removeEventListener("abort", abort);
    socket = new NativeSocket(native, options, handler);
    handler.onOpen(socket);
    resolve(socket);
  };
  const refuse = () => {
    signal.removeEventListener("abort", abort);
    const reason = "the server refused it or cannot be reached";
    reject(new HandshakeRefused(`Cannot open a WebSocket at ${displayUrl(url)}: ${reason}`));
  };
  native.onclose = refuse; // NativeSocket replaces this listener
  // Chromium emits no close event for a WebSocket that the page's policy forbids.
  native.onerror = refuse;
  native.onopen = open;
  if (native.readyState === WebSocket.OPEN) open();
  return promise;
}

class NativeSocket implements MessageSocket {
  readonly remoteAddress = "";
  readonly #native: WebSocket;
  readonly #handler: SocketHandler;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(native: WebSocket, { maxBytes }: SocketOptions, handler: SocketHandler) {
    this.#native = native;
    this.#handler = handler;
    native.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (this.#ended) return;
      handler.onAlive();
      const text = typeof data === "string" ? data : new TextDecoder().decode(data);
      if (text.length > maxBytes) return this.#give(1009, "message too long");
      handler.onText(text);
    };
    native.onclose = (event) => this.#end(event.code, event.reason);
    native.onerror = null;
  }

  get bufferedAmount(): number {
    return this.#native.bufferedAmount;
  }

  send(text: string): void {
    if (this.#native.readyState === WebSocket.OPEN) this.#native.send(text);
  }

  ping(): boolean {
    return false;
  }

  close(code: number, reason: string): void {
    if (this.#ended || this.#deadline !== undefined) return;
    this.#deadline = setTimeout(() => this.#end(1006, "the connection was lost"), CLOSE_TIMEOUT);
    // Native WebSockets do not accept other codes.
    if (code === 1000 || code >= 3000) this.#native.close(code, reason.slice(0, 41));
    else this.#native.close();
  }

  terminate(): void {
    this.#native.close();
    this.#end(1006, "the connection was lost");
  }

  #give(code: number, reason: string): void {
    this.#native.close();
    this.#end(code, reason);
  }

  #end(code: number, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#deadline);
    this.#handler.onClose(code, reason);
  }
}
