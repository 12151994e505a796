import { checkTrailer, malformed } from "./fields.ts";

/** Maximum bytes of a chunk's size with its extensions, and of one trailer line. */
const MAX_LINE = 4_096;
/** Maximum bytes of all trailers. */
const MAX_TRAILERS = 16_384;

const CHUNK_SIZE = /^([0-9a-fA-F]{1,13})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/;

/** Finds the end of a request's body, and removes the chunked encoding. */
export class BodyDecoder {
  readonly #isChunked: boolean;
  /** Bytes that remain of the body or chunk. */
  #left: number;
  #state: "data" | "chunkEnd" | "size" | "trailers" | "done";
  /** The beginning of an incomplete line. */
  #line = "";
  #trailers = 0;

  /** @param length bytes of the body, or "chunked" */
  constructor(length: number | "chunked") {
    this.#isChunked = length === "chunked";
    this.#left = length === "chunked" ? 0 : length;
    this.#state = length === "chunked" ? "size" : length === 0 ? "done" : "data";
  }

  /** True if the body is complete. */
  get isDone(): boolean {
    return this.#state === "done";
  }

  /**
   * Decodes bytes.
   *
   * @param onPart called with each part of the body, a view of `bytes`
   * @returns the index of the first byte after the body, or `bytes.length`
   * @throws {BadMessage} for malformed chunks
   */
  feed(
    bytes: Uint8Array<ArrayBuffer>,
    onPart: (part: Uint8Array<ArrayBuffer>) => void,
  ): number {
    let at = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state === "data") {
        const part = bytes.subarray(at, at + this.#left);
        at += part.length;
        this.#left -= part.length;
        onPart(part);
        if (this.#left === 0) this.#state = this.#isChunked ? "chunkEnd" : "done";
        continue;
      }
      const end = bytes.indexOf(0x0a, at);
      const piece = bytes.subarray(at, end < 0 ? bytes.length : end + 1);
      at += piece.length;
      if (this.#line.length + piece.length > MAX_LINE) throw malformed("chunk");
      for (const byte of piece) this.#line += String.fromCharCode(byte);
      if (end < 0) break;
      const line = this.#line;
      this.#line = "";
      if (!line.endsWith("\r\n")) throw malformed("chunk");
      this.#handle(line.slice(0, -2));
    }
    return at;
  }

  #handle(line: string): void {
    if (this.#state === "chunkEnd") {
      if (line !== "") throw malformed("chunk");
      this.#state = "size";
    } else if (this.#state === "size") {
      const size = CHUNK_SIZE.exec(line)?.[1];
      if (size === undefined) throw malformed("chunk");
      this.#left = parseInt(size, 16);
      this.#state = this.#left === 0 ? "trailers" : "data";
    } else if (line === "") {
      this.#state = "done";
    } else if ((this.#trailers += line.length) > MAX_TRAILERS) {
      throw malformed("chunk");
    } else {
      checkTrailer(line);
    }
  }
}
