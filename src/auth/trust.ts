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

/** New keys that Kontrol handed out (kontrol.md, "Key pairs"). */
export interface TrustUpdate {
  /** A kite.key signed anew. */
  readonly kiteKey?: string | undefined;
  /** The public key to trust from now on, PEM. */
  readonly kontrolKey?: string | undefined;
}

const DEFAULT_OVERLAP = 176_400_000;

/** Former keys kept at most. */
const MOST_FORMER = 8;

/** Whom a kite trusts, and what it shows of itself: both may change while it runs. */
export class Trust {
  readonly #overlap: number;
  readonly #listeners = new Set<() => void>();
  #former: { readonly key: string; readonly until: number }[] = [];
  #keys: readonly string[];
  #kiteKey: string | undefined;
  #kontrolKey: string | undefined;
  #kontrolUser: string;

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
    const isSame = (kiteKey ?? this.#kiteKey) === this.#kiteKey && key === before;
    if (isSame) return false;
    this.#kiteKey = kiteKey ?? this.#kiteKey;
    if (key !== before) {
      this.#kontrolKey = key;
      this.#former = this.#former.filter((former) => former.key !== key).slice(0, MOST_FORMER - 1);
      if (before !== undefined && this.#overlap > 0) {
        this.#former.unshift({ key: before, until: Date.now() + this.#overlap });
      }
      this.#collect();
    }
    for (const listener of this.#listeners) listener();
    return true;
  }

  /** Hears of changes. @returns a function that removes the listener */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #collect(): void {
    const current = this.#kontrolKey === undefined ? [] : [this.#kontrolKey];
    this.#keys = [...current, ...this.#former.map(({ key }) => key)];
  }
}
