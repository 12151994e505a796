import { Buffer } from "node:buffer";
import { checkTrailer, malformed } from "../http1/fields.ts";
import type { Framing } from "./head.ts";
import type { Input } from "./input.ts";
import type { Stream } from "./stream.ts";

/** The line before a chunk, without extensions, which nobody uses and servers read differently. */
const CHUNK_LINE = /^[\da-f]{1,8}$/i;
/** Bytes of the trailers of a body, which are dropped. */
const LONGEST_TRAILERS = 8_192;
/** Bytes up to which a head or the frame of a chunk is sent together with its body. */
const MOST_JOINED = 65_536;
/** The end of a chunk and of its body, without trailers. */
const BODY_END = Buffer.from("\r\n0\r\n\r\n");
const LAST_CHUNK = Buffer.from("0\r\n\r\n");
const LINE_END = Buffer.from("\r\n");

/** Reads the body of a message, without its framing. */
export class BodyReader {
  readonly #input: Input;
  readonly #kind: Framing["kind"];
  /** Bytes until the end of the body or of the chunk. */
  #left: number;
  #isFirst = true;
  #isOver: boolean;

  constructor(input: Input, framing: Framing) {
    this.#input = input;
    this.#kind = framing.kind;
    this.#left = framing.kind === "length" ? framing.length : 0;
    this.#isOver = framing.kind === "none";
  }

  /** True once the whole body was returned. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Returns the next bytes, which stay valid until the next call; `null` at the end.
   *
   * @throws {BadMessage} if the body is malformed or cut
   */
  async next(): Promise<Uint8Array | null> {
    if (this.#isOver) return null;
    if (this.#kind === "chunked" && this.#left === 0 && !await this.#nextChunk()) return null;
    while (this.#input.bytes.length === 0) {
      if (await this.#input.more()) continue;
      if (this.#kind !== "close") throw malformed("body");
      this.#isOver = true;
      return null;
    }
    const { bytes } = this.#input;
    const taken = this.#kind === "close" ? bytes : bytes.subarray(0, this.#left);
    this.#input.skip(taken.length);
    this.#left -= taken.length;
    if (this.#left === 0) this.#isOver = this.#kind === "length" || this.#skipsLastChunk();
    return taken;
  }

  /** Skips the end of a chunked body, if it has come with the last bytes. */
  #skipsLastChunk(): boolean {
    const { bytes } = this.#input;
    if (this.#kind !== "chunked" || bytes.length < BODY_END.length) return false;
    if (BODY_END.some((byte, index) => bytes[index] !== byte)) return false;
    this.#input.skip(BODY_END.length);
    return true;
  }

  /** Reads the line before a chunk; false if it is the last one. */
  async #nextChunk(): Promise<boolean> {
    if (!this.#isFirst && await this.#input.readLine(0) !== "") throw malformed("body");
    this.#isFirst = false;
    const line = await this.#input.readLine(8);
    if (!CHUNK_LINE.test(line)) throw malformed("body");
    this.#left = parseInt(line, 16);
    if (this.#left > 0) return true;
    for (let bytes = 0; bytes <= LONGEST_TRAILERS;) {
      const line = await this.#input.readLine(LONGEST_TRAILERS);
      if (line === "") {
        this.#isOver = true;
        return false;
      }
      checkTrailer(line);
      bytes += line.length + 2;
    }
    throw malformed("body");
  }
}

/**
 * True if a head is better sent at once than together with the beginning of its body. A short body
 * follows its head, but a stream may pause.
 */
export function mustFlush(input: Input, framing: Framing): boolean {
  if (framing.kind === "none" || input.bytes.length > 0) return false;
  return framing.kind !== "length" || framing.length > MOST_JOINED;
}

/** Writes the head and the body of a message. */
export class MessageWriter {
  readonly #stream: Stream;
  readonly #isChunked: boolean;
  #head: Uint8Array | undefined;
  #hasEnded = false;
  #scratch = new Uint8Array();

  constructor(stream: Stream, head: Uint8Array, isChunked: boolean) {
    this.#stream = stream;
    this.#head = head;
    this.#isChunked = isChunked;
  }

  /** True once the head was written, or is being written. */
  get hasBegun(): boolean {
    return this.#head === undefined;
  }

  /**
   * Writes a part of the body, in one write if possible.
   *
   * @param isLast true if `end` would be called next
   */
  async write(bytes: Uint8Array, isLast: boolean): Promise<void> {
    const parts = this.#takeHead();
    if (this.#isChunked) {
      parts.push(Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, LINE_END);
      if (isLast) parts.push(LAST_CHUNK);
      this.#hasEnded = isLast;
    } else {
      parts.push(bytes);
    }
    await this.#writeAll(parts);
  }

  /** Writes the head if it is still waiting for the body. */
  async flush(): Promise<void> {
    const [head] = this.#takeHead();
    if (head !== undefined) await this.#stream.write(head);
  }

  /** Ends the message. */
  async end(): Promise<void> {
    const parts = this.#takeHead();
    if (this.#isChunked && !this.#hasEnded) parts.push(LAST_CHUNK);
    if (parts.length > 0) await this.#writeAll(parts);
  }

  #takeHead(): Uint8Array[] {
    const head = this.#head;
    this.#head = undefined;
    return head === undefined ? [] : [head];
  }

  async #writeAll(parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (parts.length === 1 || length > MOST_JOINED + 1_024) {
      for (const part of parts) await this.#stream.write(part);
      return;
    }
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      this.#scratch.set(part, at);
      at += part.length;
    }
    await this.#stream.write(this.#scratch.subarray(0, length));
  }
}
