/**
 * A result that a handler of this library returns as encoded JSON. The text is escaped for the inside of
 * a JSON string, since most transports send it there, and is written to the answer unchanged. It must
 * contain no functions and be within the limit `messageBytes`. Values of remotes and users are never
 * mistaken for a `RawJson`.
 */
export class RawJson {
  readonly #escaped: string;

  /** @param escaped JSON, escaped for the inside of a JSON string; not checked */
  constructor(escaped: string) {
    this.#escaped = escaped;
  }

  /** Returns the escaped text of a `RawJson`; undefined for other values. */
  static escapedOf(value: unknown): string | undefined {
    return typeof value === "object" && value !== null && #escaped in value
      ? value.#escaped
      : undefined;
  }

  /** Returns the decoded value, for functions that inspect results, and inside other values. */
  toJSON(): unknown {
    return JSON.parse(JSON.parse(`"${this.#escaped}"`));
  }
}
