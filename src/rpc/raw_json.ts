/**
 * A result that a handler of this library hands over as JSON text, made beforehand. It goes into the
 * answer as it is, and so must hold no functions. Only this class can make one: no value of a remote
 * and none of a user's handler is ever taken for it.
 */
export class RawJson {
  readonly #text: string;

  /** @param text JSON, which is not checked */
  constructor(text: string) {
    this.#text = text;
  }

  /** The text of a `RawJson`; undefined for anything else. */
  static textOf(value: unknown): string | undefined {
    return typeof value === "object" && value !== null && #text in value ? value.#text : undefined;
  }

  /** The value, for whoever looks at results on their way, and where it stands inside of another. */
  toJSON(): unknown {
    return JSON.parse(this.#text);
  }
}
