/** An entry is dropped if it is not set again within this many times the time to live. */
const KEPT_TIMES_TO_LIVE = 10;

/**
 * The IDs of the kites that this storage object added. Each has a token that changes when another
 * Kontrol takes the kite over.
 */
export class OwnedIds {
  readonly #keptFor: number;
  // Ordered by age, since setting an entry moves it to the end.
  readonly #tokens = new Map<string, { readonly token: string; readonly at: number }>();

  /** @param timeToLive milliseconds */
  constructor(timeToLive: number) {
    this.#keptFor = timeToLive * KEPT_TIMES_TO_LIVE;
  }

  /** The token of an ID. */
  get(id: string): string | undefined {
    return this.#tokens.get(id)?.token;
  }

  /** Records that this storage object added or refreshed the kite. */
  set(id: string, token: string): void {
    const at = performance.now();
    this.#tokens.delete(id);
    this.#tokens.set(id, { token, at });
    for (const [oldest, entry] of this.#tokens) {
      if (entry.at > at - this.#keptFor) break;
      this.#tokens.delete(oldest);
    }
  }

  /** Records that the kite is removed or belongs to another Kontrol. */
  delete(id: string): void {
    this.#tokens.delete(id);
  }
}
