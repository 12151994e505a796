/** The number of remembered values: a client polls, sends and opens in turn. */
const SIZE = 4;

/** Characters of the longest head that is remembered, since thousands of connections remember some. */
const LONGEST = 2_048;

/** Remembers what the last few heads of a connection are, unless they are long. */
export class Recent<Key, Value> {
  readonly #values = new Map<Key, Value>();

  get(key: Key): Value | undefined {
    return this.#values.get(key);
  }

  /** @param length the characters of the head */
  set(key: Key, value: Value, length: number): void {
    if (length > LONGEST) return;
    if (this.#values.size >= SIZE) {
      for (const oldest of this.#values.keys()) {
        this.#values.delete(oldest);
        break;
      }
    }
    this.#values.set(key, value);
  }
}
