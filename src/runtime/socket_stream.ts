import type { Socket } from "node:net";
import { type ByteStream, type ByteStreamHandler, formatAddress } from "./byte_stream.ts";

/** A stream over a socket of `node:net` or `node:tls`, which is open or about to open. */
export class SocketStream implements ByteStream {
  /** The listener of the stream, which may change at any time. */
  handler: ByteStreamHandler;
  readonly #socket: Socket;

  constructor(socket: Socket, handler: ByteStreamHandler) {
    this.#socket = socket;
    this.handler = handler;
    socket.on("data", (bytes: Uint8Array<ArrayBuffer>) => this.handler.onData(bytes));
    socket.once("close", () => this.handler.onEnd());
  }

  get remoteAddress(): string {
    const { remoteAddress, remotePort = 0 } = this.#socket;
    return remoteAddress === undefined ? "" : formatAddress(remoteAddress, remotePort);
  }

  get bufferedAmount(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
