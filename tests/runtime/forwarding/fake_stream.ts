import { Buffer } from "node:buffer";
import type { Stream } from "../../../src/runtime/forwarding/stream.ts";

/** A stream whose input is given, in pieces, and whose output is kept. */
export class FakeStream implements Stream {
  readonly remoteAddress = "192.0.2.1";
  /** What was written, as latin1 text. */
  written = "";
  /** The number of writes. */
  writes = 0;
  readonly #pieces: string[];
  /** Like the real ones, it uses its buffer again. */
  readonly #buffer = new Uint8Array(65_536);

  constructor(...pieces: string[]) {
    this.#pieces = pieces;
  }

  read(): Promise<Uint8Array | null> {
    const piece = this.#pieces.shift();
    this.#buffer.fill(0);
    if (piece === undefined) return Promise.resolve(null);
    const bytes = Buffer.from(piece, "latin1");
    this.#buffer.set(bytes);
    return Promise.resolve(this.#buffer.subarray(0, bytes.length));
  }

  write(bytes: Uint8Array): Promise<void> {
    this.written += Buffer.from(bytes).toString("latin1");
    this.writes++;
    return Promise.resolve();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}
}

/** Cuts a text into pieces of at most so many characters. */
export function cut(text: string, length: number): string[] {
  return text.match(new RegExp(`[^]{1,${length}}`, "g")) ?? [];
}
