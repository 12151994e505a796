import { joinBytes } from "../runtime/bytes.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The middle of texts, which share it. */
class Body {
  readonly byteLength: number;
  #pieces: readonly Uint8Array<ArrayBuffer>[];

  constructor(pieces: readonly Uint8Array<ArrayBuffer>[]) {
    this.#pieces = pieces;
    this.byteLength = pieces.reduce((sum, { length }) => sum + length, 0);
  }

  /** The pieces as one array. They are joined at the first use. */
  get bytes(): Uint8Array<ArrayBuffer> {
    const pieces = this.#pieces;
    if (pieces.length === 1) return pieces[0]!;
    const joined = joinBytes(pieces);
    this.#pieces = [joined];
    return joined;
  }
}

/**
 * A long text in UTF-8. Its middle consists of pieces, which are joined only when it is sent, once for
 * all texts that share it. So waiting texts take little memory, and sending one more takes little time.
 */
export class EncodedText {
  /** The number of bytes. */
  readonly byteLength: number;
  readonly #head: string;
  readonly #body: Body;
  readonly #tail: string;

  /**
   * @param head ASCII, as `tail`
   * @param body the pieces of the middle: valid UTF-8 each, which nobody modifies
   */
  constructor(head: string, body: readonly Uint8Array<ArrayBuffer>[] | Body, tail: string) {
    this.#head = head;
    this.#body = body instanceof Body ? body : new Body(body);
    this.#tail = tail;
    this.byteLength = head.length + this.#body.byteLength + tail.length;
  }

  /** Encodes a text. */
  static of(text: string): EncodedText {
    return new EncodedText("", [encoder.encode(text)], "");
  }

  /** This text between two others, which are ASCII. */
  within(head: string, tail: string): EncodedText {
    return new EncodedText(head + this.#head, this.#body, this.#tail + tail);
  }

  /** The bytes, in order. Nobody may modify the second array, since other texts share it. */
  bytes(): [head: Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>] {
    return [encoder.encode(this.#head), this.#body.bytes, encoder.encode(this.#tail)];
  }

  toString(): string {
    return this.#head + decoder.decode(this.#body.bytes) + this.#tail;
  }
}
