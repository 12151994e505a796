/**
 * A WebSocket that costs its own process as little as possible: it sends text and hands over the bytes
 * of the connection unread. Server and load share few cores, so a load that reads every answer would
 * measure itself.
 */
import { FrameEncoder } from "../../../src/transport/websocket/frame_codec.ts";

/** Bytes read at once. */
const READ_BYTES = 1 << 20;

const OPENED = "\r\n\r\n";

/** A WebSocket of the bench, open for SockJS. */
export class RawSocket {
  readonly #connection: Deno.TcpConn;
  readonly #encoder = new FrameEncoder();
  #written: Promise<unknown> = Promise.resolve();

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Opens a SockJS session at Kontrol over a WebSocket. */
  static async open(port: number, session: string): Promise<RawSocket> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    const request = [
      `GET /kite/100/${session}/websocket HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      `Sec-WebSocket-Key: ${crypto.getRandomValues(new Uint8Array(16)).toBase64()}`,
      "Sec-WebSocket-Version: 13",
    ];
    await writeAll(connection, new TextEncoder().encode(request.join("\r\n") + OPENED));
    let answer = "";
    // The header, and the frame of one letter that opens the session.
    while (answer.indexOf(OPENED) === -1 || !answer.endsWith("o")) {
      const buffer = new Uint8Array(4_096);
      const size = await connection.read(buffer);
      if (size === null) throw new Error(`Kontrol ended the connection: ${answer}`);
      answer += asText(buffer.subarray(0, size));
    }
    return new RawSocket(connection);
  }

  /** Sends texts. */
  send(texts: readonly string[]): void {
    const frames = texts.map((text) => this.#encoder.text(text));
    const bytes = new Uint8Array(frames.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const frame of frames) {
      bytes.set(frame, at);
      at += frame.length;
    }
    this.#written = this.#written.then(() => writeAll(this.#connection, bytes));
    this.#written.catch(() => undefined); // reading fails as well
  }

  /** Reads until Kontrol ends the connection. `onBytes` must not keep the bytes. */
  async read(onBytes: (bytes: Uint8Array) => void): Promise<never> {
    const buffer = new Uint8Array(READ_BYTES);
    for (;;) {
      const size = await this.#connection.read(buffer);
      if (size === null) throw new Error("Kontrol ended the connection");
      onBytes(buffer.subarray(0, size));
    }
  }
}

/** Counts answers in the bytes of a connection by a text that each contains once, near its beginning. */
export class AnswerCounter {
  readonly #marker: string;
  readonly #onFirst: ((payload: string) => void) | undefined;
  /** The bytes up to the end of the first answer; undefined if it is not checked, or was. */
  #first: string | undefined;
  /** Bytes from one marker on that hold no other. */
  #leap = 0;
  #skip = 0;
  #rest = "";

  /**
   * @param onFirst checks the first answer, a SockJS text. Give it only if all answers have about the
   * same length: most of each is then skipped.
   */
  constructor(marker: string, onFirst?: (payload: string) => void) {
    this.#marker = marker;
    this.#onFirst = onFirst;
    this.#first = onFirst && "";
  }

  /** Counts the answers that begin in the next bytes. */
  count(bytes: Uint8Array): number {
    if (this.#first !== undefined) this.#checkFirst(bytes, this.#first);
    if (this.#skip >= bytes.length) {
      this.#skip -= bytes.length;
      return 0;
    }
    const text = this.#rest + asText(bytes.subarray(this.#skip));
    const marker = this.#marker;
    const step = Math.max(marker.length, this.#leap);
    let [count, from] = [0, 0];
    for (let at = 0; (at = text.indexOf(marker, from)) !== -1;) {
      count++;
      from = at + step;
    }
    this.#skip = Math.max(0, from - text.length);
    this.#rest = text.slice(Math.max(from, text.length - marker.length + 1));
    return count;
  }

  #checkFirst(bytes: Uint8Array, before: string): void {
    const all = this.#first = before + asText(bytes);
    const [begin, end] = [all.indexOf('a["'), all.indexOf('"]', all.indexOf(',\\"callbacks\\":{'))];
    if (begin === -1 || end < begin) return;
    const payload = all.slice(begin, end + 2);
    this.#first = undefined;
    this.#onFirst?.(payload);
    this.#leap = Math.floor(payload.length / (payload.split(this.#marker).length - 1) * 0.9);
  }
}

/** Reads bytes as Latin-1, one character for each. */
function asText(bytes: Uint8Array): string {
  return latin1.decode(bytes);
}

const latin1 = new TextDecoder("latin1");

async function writeAll(connection: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
