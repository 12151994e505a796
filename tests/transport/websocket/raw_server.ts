/** Answers one connection; the connection is closed once it has settled. */
export type Script = (peer: RawPeer) => Promise<void>;

/** The client gave up before its request was complete: whether it may, its own test says. */
class ClientLeft extends Error {}

/** One connection of a {@linkcode RawServer}, as bytes. */
export class RawPeer {
  readonly #connection: Deno.Conn;
  readonly #buffer = new Uint8Array(65_536);
  /** What was read so far, as Latin-1. */
  seen = "";

  constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /**
   * Reads the next bytes.
   *
   * @returns false at the end
   */
  async read(): Promise<boolean> {
    try {
      const count = await this.#connection.read(this.#buffer);
      if (count === null) return false;
      for (const byte of this.#buffer.subarray(0, count)) this.seen += String.fromCharCode(byte);
      return true;
    } catch (error) {
      if (
        error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BadResource ||
        error instanceof Deno.errors.Interrupted
      ) return false;
      throw error;
    }
  }

  /** Reads until the client has gone. */
  async drain(): Promise<void> {
    while (await this.read());
  }

  /** The opcodes of the client's frames seen so far, those below 64 KB. */
  opcodes(): number[] {
    const opcodes: number[] = [];
    let at = 0;
    while (at + 4 <= this.seen.length) {
      opcodes.push(this.seen.charCodeAt(at) & 0x0f);
      const length = this.seen.charCodeAt(at + 1) & 0x7f;
      const long = length === 126;
      const extended = (this.seen.charCodeAt(at + 2) << 8) | this.seen.charCodeAt(at + 3);
      at += 2 + (long ? 2 + extended : length) + 4;
    }
    return opcodes;
  }

  /** Reads until the client's close frame, or its end. */
  async farewell(): Promise<void> {
    while (!this.opcodes().includes(8) && await this.read());
  }

  /** Reads until the head of a request is complete. */
  async head(): Promise<string> {
    while (!this.seen.includes("\r\n\r\n")) {
      if (!await this.read()) throw new ClientLeft();
    }
    return this.seen;
  }

  async write(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? new TextEncoder().encode(data) : data;
    while (rest.length > 0) rest = rest.subarray(await this.#connection.write(rest));
  }

  /**
   * Accepts the WebSocket that the client asks for.
   *
   * @param extra header lines
   */
  async upgrade(extra: string = ""): Promise<string> {
    const head = await this.head();
    const key = /sec-websocket-key: (.*)\r\n/i.exec(head)?.[1] ?? "";
    await this.write(
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        `Sec-WebSocket-Accept: ${await acceptOf(key)}\r\n${extra}\r\n`,
    );
    this.seen = "";
    return head;
  }

  close(): void {
    try {
      this.#connection.close();
    } catch (error) {
      if (!(error instanceof Deno.errors.BadResource)) throw error; // closed by the script itself
    }
  }
}

/** A TCP server that answers each connection as its script says, however wrong that is. */
export class RawServer implements AsyncDisposable {
  readonly #listener: Deno.TcpListener;
  readonly #running = new Set<Promise<void>>();
  readonly #peers = new Set<RawPeer>();
  readonly #accepting: Promise<void>;
  readonly #failures: unknown[] = [];
  /** How many connections came. */
  connections = 0;

  /** @param scripts the n-th connection gets the n-th, further ones the last. */
  constructor(...scripts: readonly Script[]) {
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    this.#accepting = this.#accept(scripts);
  }

  get url(): string {
    return `http://127.0.0.1:${this.#listener.addr.port}/kite`;
  }

  async #accept(scripts: readonly Script[]): Promise<void> {
    for await (const connection of this.#listener) {
      const script = scripts[Math.min(this.connections++, scripts.length - 1)];
      const peer = new RawPeer(connection);
      this.#peers.add(peer);
      const running = script!(peer).catch((error) => void this.#failures.push(error)).finally(
        () => {
          peer.close();
          this.#running.delete(running);
        },
      );
      this.#running.add(running);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#accepting;
    for (const peer of this.#peers) peer.close();
    await Promise.all(this.#running);
    const unexpected = this.#failures.find((error) =>
      !(error instanceof ClientLeft || error instanceof Deno.errors.BrokenPipe ||
        error instanceof Deno.errors.ConnectionReset ||
        error instanceof Deno.errors.BadResource || error instanceof Deno.errors.Interrupted)
    );
    if (unexpected !== undefined) throw unexpected;
  }
}

/** What may be wrong, or special, with a {@linkcode frame}. */
export interface FrameOptions {
  /** @default true */
  readonly fin?: boolean;
  /**
   * Bits 0x70 of the first byte.
   *
   * @default 0
   */
  readonly reserved?: number;
  /**
   * Sets the mask bit and adds a zero key.
   *
   * @default false
   */
  readonly masked?: boolean;
  /**
   * The length the header claims.
   *
   * @default the payload's
   */
  readonly claim?: number;
}

/** A WebSocket frame of a server; `opcode` as in RFC 6455 5.2. */
export function frame(
  opcode: number,
  payload: string | Uint8Array,
  options: FrameOptions = {},
): Uint8Array {
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const length = options.claim ?? bytes.length;
  const header = [(options.fin === false ? 0 : 0x80) | (options.reserved ?? 0) | opcode];
  const mask = options.masked ? 0x80 : 0;
  if (length < 126) {
    header.push(mask | length);
  } else if (length < 0x10000) {
    header.push(mask | 126, length >>> 8, length & 0xff);
  } else {
    header.push(mask | 127);
    for (let byte = 7; byte >= 0; byte--) header.push(Math.floor(length / 256 ** byte) % 256);
  }
  if (options.masked) header.push(0, 0, 0, 0);
  const out = new Uint8Array(header.length + bytes.length);
  out.set(header);
  out.set(bytes, header.length);
  return out;
}

/** A close frame of a server. */
export function closeFrame(code: number, reason: string): Uint8Array {
  const text = new TextEncoder().encode(reason);
  return frame(8, new Uint8Array([code >>> 8, code & 0xff, ...text]));
}

/** The HTTP answer with that body. */
export function httpAnswer(status: string, body: string = ""): string {
  const { length } = new TextEncoder().encode(body);
  return `HTTP/1.1 ${status}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`;
}

async function acceptOf(key: string): Promise<string> {
  const text = key.trim() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const digest = await crypto.subtle.digest("SHA-1", new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
