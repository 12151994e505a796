import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ByteStream, type ByteStreamHandler, formatAddress } from "./byte_stream.ts";

/** A stream over a socket of `node:net` or `node:tls`, or another one of Node. It may yet have to open. */
export class SocketStream implements ByteStream {
  /** The listener of the stream, which may change at any time. */
  handler: ByteStreamHandler;
  readonly #socket: Socket | Duplex;
  readonly #remoteAddress: string | undefined;

  /** @param remoteAddress the peer's `host:port`, if the socket does not know it */
  constructor(socket: Socket | Duplex, handler: ByteStreamHandler, remoteAddress?: string) {
    this.#socket = socket;
    this.handler = handler;
    this.#remoteAddress = remoteAddress;
    socket.on("data", (bytes: Uint8Array<ArrayBuffer>) => this.handler.onData(bytes));
    socket.once("end", () => {
      if (this.handler.onPeerEnd === undefined) socket.destroy();
      else this.handler.onPeerEnd();
    });
    socket.once("close", () => this.handler.onEnd());
  }

  get remoteAddress(): string {
    if (this.#remoteAddress !== undefined) return this.#remoteAddress;
    const { remoteAddress, remotePort = 0 } = this.#socket as Socket;
    return remoteAddress === undefined ? "" : formatAddress(remoteAddress, remotePort);
  }

  get bufferedAmount(): number {
    return this.#socket.writableLength;
  }

  /** Stops reading after the bytes that have arrived, so that the peer must wait. */
  pause(): void {
    this.#socket.pause();
  }

  /** Continues to read. */
  resume(): void {
    this.#socket.resume();
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Resolves when everything is written, or the connection has ended. */
  drained(): Promise<void> {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
