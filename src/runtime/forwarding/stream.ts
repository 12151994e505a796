import { letOthersRun, OwnTurn } from "./own_turn.ts";

/**
 * The size of a read buffer at first and after small reads, and the size up to which it grows. Every
 * idle connection has a buffer.
 */
const FIRST_BUFFER = 2_048;
const LARGEST_BUFFER = 65_536;

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
  readonly #turn = new OwnTurn();
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
    const asked = performance.now();
    const length = await this.#connection.read(this.#buffer);
    if (this.#turn.isOver(asked)) await letOthersRun();
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
    const asked = performance.now();
    let written = await this.#connection.write(bytes);
    while (written < bytes.length) {
      written += await this.#connection.write(bytes.subarray(written));
    }
    if (this.#turn.isOver(asked)) await letOthersRun();
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
