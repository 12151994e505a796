/** A value, and until when it may be used. */
export interface Remembered<Value> {
  readonly value: Value;
  /** Milliseconds since 1970; `Infinity` for ever, the past for not at all. */
  readonly until: number;
}

/**
 * Remembers values by a text, at most `size` of them and each until its own time; what was put in
 * first goes first. Whoever asks for the same text meanwhile shares one piece of work, and what
 * fails is not remembered.
 */
export class SharedCache<Value> {
  readonly #size: number;
  readonly #now: () => number;
  #values = new Map<string, Remembered<Value>>();
  #running = new Map<string, Promise<Value>>();

  /**
   * @param size At most this many values; 0 for none.
   * @param now The clock, milliseconds since 1970.
   */
  constructor(size: number, now: () => number) {
    this.#size = size;
    this.#now = now;
  }

  /** How many values are held. */
  get size(): number {
    return this.#values.size;
  }

  /** The value, if it is there and its time has not come. */
  get(text: string): Value | undefined {
    const entry = this.#values.get(text);
    if (entry === undefined) return undefined;
    if (this.#now() < entry.until) return entry.value;
    this.#values.delete(text);
    return undefined;
  }

  /** The remembered value, else what `work` gives, else what it throws. */
  obtain(text: string, work: () => Promise<Remembered<Value>>): Promise<Value> {
    const value = this.get(text);
    if (value !== undefined) return Promise.resolve(value);
    return this.renew(text, work);
  }

  /** As {@linkcode SharedCache.obtain}, but passes over what is remembered. */
  renew(text: string, work: () => Promise<Remembered<Value>>): Promise<Value> {
    const running = this.#running.get(text);
    if (running !== undefined) return running;
    const started = this.#run(text, work);
    this.#running.set(text, started);
    return started;
  }

  /** Forgets everything; work that is under way is neither shared further nor remembered. */
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
