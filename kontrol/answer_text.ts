/**
 * A long text that is put together only when it is sent: until then it consists of pieces which many
 * answers share, so that waiting answers take little memory.
 */
export class AnswerText {
  /** The number of characters. */
  readonly length: number;
  readonly #head: string;
  readonly #pieces: readonly string[];
  readonly #tail: string;
  #text: string | undefined;

  /** @param pieces joined by commas, between `head` and `tail` */
  constructor(head: string, pieces: readonly string[], tail: string) {
    this.#head = head;
    this.#pieces = pieces;
    this.#tail = tail;
    const commas = Math.max(pieces.length - 1, 0);
    this.length = pieces.reduce((sum, { length }) => sum + length, commas) + head.length +
      tail.length;
  }

  /** The same text between two others. */
  within(head: string, tail: string): AnswerText {
    return new AnswerText(head + this.#head, this.#pieces, this.#tail + tail);
  }

  // A string that grows by `+=` would be copied piece by piece for each message it is in.
  toString(): string {
    return this.#text ??= this.#head + this.#pieces.join(",") + this.#tail;
  }
}
