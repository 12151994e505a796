import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { Stream } from "./stream.ts";

/** A socket of Node. */
export class NodeStream implements Stream {
  readonly remoteAddress: string;
  readonly #socket: Duplex;
  #isEnded = false;
  #wake: () => void = () => {};

  /** @param remoteAddress the peer's address, if the socket does not know it */
  constructor(socket: Socket | Duplex, remoteAddress?: string) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress ?? ("remoteAddress" in socket && socket.remoteAddress || "");
    if ("setNoDelay" in socket) socket.setNoDelay(true);
    socket.on("readable", () => this.#wake());
    socket.on("end", () => {
      this.#isEnded = true;
      this.#wake();
    });
    socket.on("close", () => this.#wake());
    socket.on("error", () => socket.destroy()); // "close" follows
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const bytes: Uint8Array | null = this.#socket.read();
      if (bytes !== null) return bytes;
      if (this.#isEnded) return null;
      if (this.#socket.destroyed) throw new Error("the connection was closed");
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  }

  end(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socket.destroyed) return resolve();
      this.#socket.once("close", resolve);
      this.#socket.end(resolve);
    });
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A stream as a `Duplex` of Node, for libraries that take one. */
export class StreamDuplex extends Duplex {
  readonly #stream: Stream;
  #early: Uint8Array | undefined;
  #reader: Duplex | undefined;
  #readOn: () => void = () => {};

  /** @param early bytes to read first */
  constructor(stream: Stream, early: Uint8Array = new Uint8Array()) {
    super({ allowHalfOpen: true });
    this.#stream = stream;
    this.#early = early.length === 0 ? undefined : early.slice();
  }

  /**
   * Reads only while `reader`, which reads this stream, has less than its limit. Deno's TLS does not
   * limit by itself what it reads (2.9).
   */
  feed(reader: Duplex): void {
    this.#reader = reader;
    const read = reader._read.bind(reader);
    reader._read = (size) => {
      read(size);
      this.#readOn();
    };
  }

  override _read(): void {
    if (this.#early !== undefined) {
      const early = this.#early;
      this.#early = undefined;
      this.push(early);
      return;
    }
    this.#next().then(
      // The stream uses its buffer again.
      (bytes) => void this.push(bytes === null ? null : Buffer.from(bytes)),
      (error: unknown) => void this.destroy(error as Error),
    );
  }

  async #next(): Promise<Uint8Array | null> {
    const reader = this.#reader;
    while (reader !== undefined && reader.readableLength >= reader.readableHighWaterMark) {
      await new Promise<void>((resolve) => this.#readOn = resolve);
    }
    return await this.#stream.read();
  }

  override _write(bytes: Uint8Array, _encoding: string, done: (error?: Error) => void): void {
    this.#stream.write(bytes).then(() => done(), done);
  }

  override _final(done: () => void): void {
    void this.#stream.end().then(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#stream.close();
    done(error);
  }
}
