import { joinBytes } from "../bytes.ts";
import { type ByteStream, type ByteStreamHandler, formatAddress } from "../byte_stream.ts";
import { fairLoop } from "./fair_loop.ts";

/** Bytes of the read buffer of a connection that receives little. Idle connections keep theirs. */
const SMALL_BUFFER = 2_048;
/** Bytes of the largest read buffer, and of the largest write that is joined from smaller ones. */
const LARGE_BUFFER = 65_536;

/** Milliseconds up to which handling received bytes is light work, see {@linkcode FairLoop}. */
const LIGHT_TIME = 0.25;
/** Bytes up to which writing is light work. */
const LIGHT_BYTES = 16_384;

const EMPTY = new Uint8Array(0);
const NOBODY: ByteStreamHandler = { onData: () => {}, onEnd: () => {} };

/** Returns the buffer for the next read, which grows and shrinks with what arrives. */
function nextBuffer(buffer: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer> {
  const { length } = buffer;
  if (count === length && length < LARGE_BUFFER) {
    return new Uint8Array(Math.min(LARGE_BUFFER, length * 4));
  }
  return length > SMALL_BUFFER && count < length / 16 ? new Uint8Array(SMALL_BUFFER) : buffer;
}

/** A stream over one of Deno's connections. */
export class ConnStream implements ByteStream {
  /** The listener of the stream, which may change at any time. */
  handler: ByteStreamHandler = NOBODY;
  readonly #connection: Deno.TcpConn;
  readonly #onError: (error: unknown) => void;
  /** What waits to be written, without the write that is running. */
  #queue: Uint8Array<ArrayBuffer>[] = [];
  #buffered = 0;
  #isWriting = false;
  #isEnding = false;
  #isClosed = false;
  /** Set while reading is paused; calling it continues to read. */
  #continue: (() => void) | undefined;
  #isPaused = false;
  /** Those who wait for `drained`. */
  #whenDrained: (() => void) | undefined;

  /** @param onError called with errors that the handler throws, which close the connection */
  constructor(connection: Deno.TcpConn, onError: (error: unknown) => void) {
    this.#connection = connection;
    this.#onError = onError;
    try {
      // Otherwise an answer that leaves in two pieces waits 40 ms for the peer's acknowledgement.
      connection.setNoDelay(true);
    } catch {
      // The peer has left already, which the first read reports.
    }
  }

  get remoteAddress(): string {
    const { hostname, port } = this.#connection.remoteAddr;
    return formatAddress(hostname, port);
  }

  get bufferedAmount(): number {
    return this.#buffered;
  }

  /** Starts to read. */
  start(): void {
    void this.#read();
  }

  /** Stops reading after the bytes that have arrived, so that the peer must wait. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Continues to read. */
  resume(): void {
    this.#isPaused = false;
    this.#continue?.();
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#buffered += bytes.length;
    this.#queue.push(bytes);
    if (!this.#isWriting) void this.#flush();
  }

  /** Resolves when everything is written, or the connection has ended. */
  drained(): Promise<void> {
    if (this.#isClosed || !this.#isWriting) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#whenDrained;
    this.#whenDrained = before === undefined ? resolve : () => {
      before();
      resolve();
    };
    return promise;
  }

  end(): void {
    if (this.#isClosed || this.#isEnding) return;
    this.#isEnding = true;
    if (!this.#isWriting) void this.#closeWrite();
  }

  destroy(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#queue = [];
    this.#buffered = 0;
    try {
      this.#connection.close(); // cancels the pending read and write
    } catch {
      // It has failed already.
    }
    this.#continue?.();
    this.#whenDrained?.();
  }

  /** Reads to the end. Waiting in one function only saves 1 KiB for each connection. */
  async #read(): Promise<void> {
    let buffer = new Uint8Array(SMALL_BUFFER);
    /** Milliseconds that the last bytes took. */
    let time = 0;
    while (!this.#isClosed) {
      let count: number | null;
      try {
        count = await this.#connection.read(buffer);
      } catch {
        break; // the connection is lost or was closed
      }
      if (this.#isClosed) break;
      const turn = fairLoop.turn(time < LIGHT_TIME);
      if (turn !== undefined) await turn;
      const start = performance.now();
      if (!this.#deliver(buffer, count)) break;
      time = fairLoop.add(start);
      while (this.#isPaused || count === null) {
        await this.#pausing();
        if (this.#isClosed) break;
      }
      buffer = nextBuffer(buffer, count ?? 0);
    }
    this.destroy();
    this.handler.onEnd();
  }

  /** Returns false if the connection must be closed. */
  #deliver(buffer: Uint8Array<ArrayBuffer>, count: number | null): boolean {
    try {
      if (count !== null) this.handler.onData(buffer.subarray(0, count));
      else if (this.handler.onPeerEnd === undefined) return false;
      else this.handler.onPeerEnd();
      return true;
    } catch (error) {
      this.#onError(error);
      return false;
    }
  }

  /** Waits until reading continues, or the connection is closed. */
  async #pausing(): Promise<void> {
    if (this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#continue = resolve;
    await promise;
    this.#continue = undefined;
  }

  async #flush(): Promise<void> {
    this.#isWriting = true;
    try {
      while (this.#queue.length > 0) {
        const bytes = this.#next();
        let rest = bytes;
        while (rest.length > 0) {
          const turn = fairLoop.turn(rest.length <= LIGHT_BYTES);
          if (turn !== undefined) await turn;
          const start = performance.now();
          const writing = this.#connection.write(rest);
          fairLoop.add(start);
          const count = await writing;
          this.#buffered -= count;
          rest = count === rest.length ? EMPTY : rest.subarray(count);
        }
      }
    } catch {
      this.destroy();
    }
    this.#isWriting = false;
    this.#whenDrained?.();
    this.#whenDrained = undefined;
    if (this.#isEnding) await this.#closeWrite();
  }

  /** Takes the next bytes to write. Small ones are joined, which saves system calls. */
  #next(): Uint8Array<ArrayBuffer> {
    const queue = this.#queue;
    if (queue.length === 1) {
      this.#queue = [];
      return queue[0]!;
    }
    let size = 0;
    let count = 0;
    while (count < queue.length && (count === 0 || size + queue[count]!.length <= LARGE_BUFFER)) {
      size += queue[count++]!.length;
    }
    this.#queue = queue.slice(count);
    if (count === 1) return queue[0]!;
    return joinBytes(queue.slice(0, count));
  }

  async #closeWrite(): Promise<void> {
    if (this.#isClosed) return;
    try {
      await this.#connection.closeWrite();
    } catch {
      this.destroy();
    }
  }
}
