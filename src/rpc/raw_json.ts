/**
 * A result that a handler of this library hands over as JSON, encoded beforehand. The text is kept as
 * it stands inside of a JSON string, since most transports send it there; it goes into the answer as
 * it is, and so must hold no functions and keep to the limit `messageBytes`. Only this class can make one: no value of a remote and none of
 * a user's handler is ever taken for it.
 */
export class RawJson {
  readonly #escaped: string;

  /** @param escaped JSON as it stands between the quotes of a JSON string; not checked */
  constructor(escaped: string) {
    this.#escaped = escaped;
  }

  /** The escaped text of a `RawJson`; undefined for anything else. */
  static escapedOf(value: unknown): string | undefined {
    return typeof value === "object" && value !== null && #escaped in value
      ? value.#escaped
      : undefined;
  }

  /** The value, for whoever looks at results on their way, and where it stands inside of another. */
  toJSON(): unknown {
    return JSON.parse(JSON.parse(`"${this.#escaped}"`));
  }
}
