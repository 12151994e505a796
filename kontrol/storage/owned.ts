/** Times to live after which a kite that nobody deleted is no longer ours to delete. */
const KEPT = 10;

/**
 * What this storage object added, by id, with a token by which to see whether somebody else has taken
 * it over since. What is neither refreshed nor deleted is forgotten in the end.
 */
export class Owned {
  readonly #kept: number;
  // Ordered by age: what is set moves to the end.
  readonly #tokens = new Map<string, { readonly token: string; readonly at: number }>();

  /** @param timeToLive milliseconds. */
  constructor(timeToLive: number) {
    this.#kept = timeToLive * KEPT;
  }

  /** The token under an id. */
  get(id: string): string | undefined {
    return this.#tokens.get(id)?.token;
  }

  /** Notes that the id is ours, or still is. */
  set(id: string, token: string): void {
    const at = performance.now();
    this.#tokens.delete(id);
    this.#tokens.set(id, { token, at });
    for (const [oldest, entry] of this.#tokens) {
      if (entry.at > at - this.#kept) break;
      this.#tokens.delete(oldest);
    }
  }

  /** Notes that the id is not ours. */
  delete(id: string): void {
    this.#tokens.delete(id);
  }
}
