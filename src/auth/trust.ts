/** What a kite trusts at first, and how long former keys count. */
export interface TrustOptions {
  /** The text of our kite.key. */
  readonly kiteKey?: string | undefined;
  /** Our Kontrol's public key, PEM. */
  readonly kontrolKey?: string | undefined;
  /** Our Kontrol's username. */
  readonly kontrolUser?: string | undefined;
  /**
   * Milliseconds for which a replaced Kontrol key is still trusted. The default covers every token
   * that was signed before the change, so that no call fails for it. @default 176_400_000 (49 h)
   */
  readonly keyOverlap?: number | undefined;
}

/** New keys that Kontrol handed out (docs/kontrol-protocol.md §6). */
export interface TrustUpdate {
  /** A kite.key signed anew. */
  readonly kiteKey?: string | undefined;
  /** The public key to trust from now on, PEM. */
  readonly kontrolKey?: string | undefined;
}

const DEFAULT_OVERLAP = 176_400_000;

/** Milliseconds between two questions for new keys: whoever shows made-up tokens causes no more. */
const LEAST_PAUSE = 1_000;

/** Hears of new keys. @param formerKiteKey the kite.key until now, whether that changed or not */
export type TrustListener = (formerKiteKey: string | undefined) => void;

/** Former keys kept at most. */
const MOST_FORMER = 8;

/** Whom a kite trusts, and what it shows of itself: both may change while it runs. */
export class Trust {
  readonly #overlap: number;
  readonly #listeners = new Set<TrustListener>();
  #former: { readonly key: string; readonly until: number }[] = [];
  #keys: readonly string[];
  #kiteKey: string | undefined;
  #kontrolKey: string | undefined;
  #kontrolUser: string;
  #asking: Promise<void> | undefined;
  #askedAt = -Infinity;
  /** Asks Kontrol for new keys and adopts them; undefined while there is none to ask. */
  source: (() => Promise<unknown>) | undefined;

  constructor(options: TrustOptions) {
    this.#kiteKey = options.kiteKey;
    this.#kontrolKey = options.kontrolKey?.trim();
    this.#kontrolUser = options.kontrolUser ?? "";
    this.#overlap = options.keyOverlap ?? DEFAULT_OVERLAP;
    this.#keys = this.#kontrolKey === undefined ? [] : [this.#kontrolKey];
  }

  /** The text of our kite.key. */
  get kiteKey(): string | undefined {
    return this.#kiteKey;
  }

  /** Our Kontrol's public key, PEM. */
  get kontrolKey(): string | undefined {
    return this.#kontrolKey;
  }

  /** Our Kontrol's username, or `""`. */
  get kontrolUser(): string {
    return this.#kontrolUser;
  }

  /** Every key that counts now, the current one first; the same array until that changes. */
  readonly trustedKeys = (): readonly string[] => {
    if (this.#former.length > 0 && this.#former.some(({ until }) => until <= Date.now())) {
      this.#former = this.#former.filter(({ until }) => until > Date.now());
      this.#collect();
    }
    return this.#keys;
  };

  /** Takes new keys over. @returns whether anything changed */
  adopt({ kiteKey, kontrolKey }: TrustUpdate): boolean {
    const before = this.#kontrolKey;
    const key = kontrolKey?.trim() || before;
    const formerKiteKey = this.#kiteKey;
    if ((kiteKey ?? formerKiteKey) === formerKiteKey && key === before) return false;
    this.#kiteKey = kiteKey ?? this.#kiteKey;
    if (key !== before) {
      this.#kontrolKey = key;
      this.#former = this.#former.filter((former) => former.key !== key).slice(0, MOST_FORMER - 1);
      if (before !== undefined && this.#overlap > 0) {
        this.#former.unshift({ key: before, until: Date.now() + this.#overlap });
      }
      this.#collect();
    }
    for (const listener of this.#listeners) listener(formerKiteKey);
    return true;
  }

  /**
   * Asks for new keys, because somebody showed what none of ours signed: Kontrol may have changed
   * its key pair. Whoever asks meanwhile shares the question; at most one a second is put.
   */
  refresh(): Promise<void> {
    return this.#asking ??= this.#ask().finally(() => this.#asking = undefined);
  }

  async #ask(): Promise<void> {
    const now = performance.now();
    if (this.source === undefined || now - this.#askedAt < LEAST_PAUSE) return;
    this.#askedAt = now;
    try {
      await this.source();
    } catch {
      // Without an answer what was shown is refused, as it would have been without the question.
    }
  }

  /** Hears of changes. @returns a function that removes the listener */
  onChange(listener: TrustListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #collect(): void {
    const current = this.#kontrolKey === undefined ? [] : [this.#kontrolKey];
    this.#keys = [...current, ...this.#former.map(({ key }) => key)];
  }
}
