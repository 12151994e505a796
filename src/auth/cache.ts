/** A value with its expiry. */
export interface Remembered<Value> {
  readonly value: Value;
  /** Milliseconds since 1970; `Infinity` if it never expires. Expired values are not cached. */
  readonly until: number;
}

/**
 * Caches values by a text key, each until it expires. A full cache evicts the oldest entry.
 * Concurrent requests for the same key share one computation; failures are not cached.
 */
export class SharedCache<Value> {
  readonly #size: number;
  readonly #now: () => number;
  #values = new Map<string, Remembered<Value>>();
  #running = new Map<string, Promise<Value>>();

  /**
   * @param size The maximum number of values; 0 disables caching.
   * @param now Returns the time, milliseconds since 1970.
   */
  constructor(size: number, now: () => number) {
    this.#size = size;
    this.#now = now;
  }

  /** The number of cached values. */
  get size(): number {
    return this.#values.size;
  }

  /** Returns the cached value, unless it has expired. */
  get(text: string): Value | undefined {
    const entry = this.#values.get(text);
    if (entry === undefined) return undefined;
    if (this.#now() < entry.until) return entry.value;
    this.#values.delete(text);
    return undefined;
  }

  /** Returns the cached value, or the result of `work`. Rejects if `work` fails. */
  obtain(text: string, work: () => Promise<Remembered<Value>>): Promise<Value> {
    const value = this.get(text);
    if (value !== undefined) return Promise.resolve(value);
    return this.renew(text, work);
  }

  /** As {@linkcode SharedCache.obtain}, but ignores the cached value. */
  renew(text: string, work: () => Promise<Remembered<Value>>): Promise<Value> {
    const running = this.#running.get(text);
    if (running !== undefined) return running;
    const started = this.#run(text, work);
    this.#running.set(text, started);
    return started;
  }

  /** Removes all values. Running computations are no longer shared, and their results not cached. */
  clear(): void {
    this.#values = new Map();
    this.#running = new Map();
  }

  async #run(text: string, work: () => Promise<Remembered<Value>>): Promise<Value> {
    const values = this.#values;
    const running = this.#running;
    try {
      const entry = await work();
      if (values === this.#values) this.#remember(text, entry);
      return entry.value;
    } finally {
      running.delete(text);
    }
  }

  #remember(text: string, entry: Remembered<Value>): void {
    if (this.#size === 0 || this.#now() >= entry.until) return;
    this.#values.delete(text);
    if (this.#values.size >= this.#size) {
      for (const oldest of this.#values.keys()) {
        this.#values.delete(oldest);
        break;
      }
    }
    this.#values.set(text, entry);
  }
}
