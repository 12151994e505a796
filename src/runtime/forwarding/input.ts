import { Buffer } from "node:buffer";
import { BadMessage, malformed } from "../http1/fields.ts";
import type { Stream } from "./stream.ts";

const CR = 13;
const LF = 10;
const EMPTY = new Uint8Array();

/** The bytes received on a stream that were not used yet. */
export class Input {
  readonly #stream: Stream;
  #bytes: Uint8Array = EMPTY;
  #reading: Promise<boolean> | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** The bytes; valid until the next call of `more`. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** True while a read is pending. */
  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Removes bytes that were used. */
  skip(count: number): void {
    this.#bytes = this.#bytes.subarray(count);
  }

  /**
   * Waits for more bytes. A second call before that returns the same promise.
   *
   * @returns false at the end of the stream
   * @throws if the connection was lost or closed
   */
  more(): Promise<boolean> {
    return this.#reading ??= this.#read();
  }

  async #read(): Promise<boolean> {
    // The stream overwrites its buffer.
    const kept = this.#bytes.length === 0 ? undefined : this.#bytes.slice();
    if (kept !== undefined) this.#bytes = kept;
    try {
      const bytes = await this.#stream.read();
      if (bytes === null) return false;
      // Part of the kept bytes may have been used in the meantime.
      this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
      return true;
    } finally {
      this.#reading = undefined;
    }
  }

  /**
   * Reads the head of a message: the lines up to the empty one. Every line must end with CR LF, since
   * servers disagree about others.
   *
   * @returns the lines, joined by CR LF; `undefined` if the stream ended before the first byte
   * @throws {BadMessage} if it is malformed, too long or cut
   */
  async readHead(limit: number): Promise<string | undefined> {
    let line = 0;
    let from = 0;
    reading: for (;;) {
      const bytes = this.#bytes;
      for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, from)) {
        if (at === 0 || bytes[at - 1] !== CR) throw malformed("line");
        from = at + 1;
        if (at - 1 > line) {
          line = from;
        } else if (line > 0) {
          if (from > limit) throw new BadMessage(431, "the head is too long");
          const text = latin1(bytes.subarray(0, line - 2));
          this.skip(from);
          return text;
        } else {
          // Empty lines before a request are tolerated (RFC 9112 2.2).
          this.skip(from);
          limit -= from;
          from = 0;
          continue reading;
        }
      }
      if (bytes.length > limit) throw new BadMessage(431, "the head is too long");
      from = bytes.length;
      if (!await this.more()) {
        if (this.#bytes.length === 0) return undefined;
        throw malformed("line");
      }
    }
  }

  /**
   * Reads a line of a chunked body.
   *
   * @throws {BadMessage} if it is too long, cut, or does not end with CR LF
   */
  async readLine(limit: number): Promise<string> {
    for (;;) {
      const at = this.#bytes.indexOf(LF);
      if ((at < 0 ? this.#bytes.length : at) - 1 > limit) throw malformed("line");
      if (at >= 0) {
        if (this.#bytes[at - 1] !== CR) throw malformed("line");
        const text = latin1(this.#bytes.subarray(0, at - 1));
        this.skip(at + 1);
        return text;
      }
      if (!await this.more()) throw malformed("line");
    }
  }
}

/** Decodes bytes as HTTP does. */
function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
