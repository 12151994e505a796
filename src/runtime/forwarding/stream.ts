import { fairLoop } from "../deno/fair_loop.ts";

/**
 * The size of a read buffer at first and after small reads, and the size up to which it grows. Every
 * idle connection has a buffer.
 */
const FIRST_BUFFER = 2_048;
const LARGEST_BUFFER = 65_536;

/** Bytes up to which reading or writing is light work, see {@linkcode FairLoop}. */
const LIGHT_BYTES = 16_384;

/** Milliseconds up to which the time between two calls was work for what was read. */
const SAME_WORK = 0.1;

/** A TCP or TLS connection, with `TCP_NODELAY`. */
export interface Stream {
  /** The peer's address, without its port. */
  readonly remoteAddress: string;
  /**
   * Reads the next bytes, which stay valid until the next call. There is one call at a time.
   *
   * @returns `null` after the peer has ended its side
   * @throws if the connection was lost or closed
   */
  read(): Promise<Uint8Array | null>;
  /**
   * Writes bytes, which must not change until then. There is one call at a time.
   *
   * @throws if the connection was lost or closed
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Ends our side. Never throws. */
  end(): Promise<void>;
  /** Closes the connection immediately, so that pending reads and writes fail. */
  close(): void;
}

/** A connection of Deno. Each call of its streams for Node would cost about 10 µs more. */
export class DenoStream implements Stream {
  readonly #connection: Deno.Conn;
  #buffer = new Uint8Array(FIRST_BUFFER);
  /** When the last call returned. */
  #last = 0;
  #isClosed = false;

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
    try {
      if ("setNoDelay" in connection) (connection as Deno.TcpConn).setNoDelay(true);
    } catch {
      // The peer has left already, which the first read reports.
    }
  }

  get remoteAddress(): string {
    const address = this.#connection.remoteAddr;
    return "hostname" in address ? address.hostname : "";
  }

  async read(): Promise<Uint8Array | null> {
    const start = this.#begin();
    const reading = this.#connection.read(this.#buffer);
    fairLoop.add(start);
    const length = await reading;
    const turn = fairLoop.turn(length === null || length <= LIGHT_BYTES);
    if (turn !== undefined) await turn;
    this.#last = performance.now();
    if (length === null) return null;
    const bytes = this.#buffer.subarray(0, length);
    const size = this.#buffer.length;
    if (length === size && size < LARGEST_BUFFER) {
      this.#buffer = new Uint8Array(Math.min(4 * size, LARGEST_BUFFER));
    } else if (length < size / 16 && size > FIRST_BUFFER) {
      this.#buffer = new Uint8Array(FIRST_BUFFER);
    }
    return bytes;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let rest = bytes; rest.length > 0;) {
      const turn = fairLoop.turn(rest.length <= LIGHT_BYTES);
      if (turn !== undefined) await turn;
      const start = this.#begin();
      const writing = this.#connection.write(rest);
      fairLoop.add(start);
      rest = rest.subarray(await writing);
    }
    this.#last = performance.now();
  }

  /** Returns when the work began that the next call ends. */
  #begin(): number {
    const now = performance.now();
    return now - this.#last < SAME_WORK ? this.#last : now;
  }

  async end(): Promise<void> {
    try {
      await this.#connection.closeWrite();
    } catch {
      // The connection has ended.
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#connection.close();
    } catch {
      // The peer has closed it at the same time.
    }
  }
}
