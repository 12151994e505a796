import { KiteError } from "../protocol/errors.ts";
import { unvouchedKey, verifyKeyHandover } from "./handover.ts";
import { hasSignatureOf, parseToken } from "./jwt.ts";
import { canonicalPublicKey, importPublicKey, KEY_ALGORITHMS } from "./keys.ts";
import { readKiteKeyClaims } from "./kite_key.ts";

/** The keys that a kite trusts at first, and the rules for changing them. */
export interface TrustOptions {
  /** The text of this kite's kite.key. */
  readonly kiteKey?: string | undefined;
  /** Our Kontrol's public key, PEM. */
  readonly kontrolKey?: string | undefined;
  /** Our Kontrol's username. */
  readonly kontrolUser?: string | undefined;
  /**
   * Milliseconds for which a replaced Kontrol key stays trusted. The default is longer than the
   * lifetime of tokens, so that tokens signed before the change stay valid.
   *
   * @default 176_400_000 (49 h)
   */
  readonly keyOverlap?: number | undefined;
  /**
   * Adopts a new key only with a handover signed by the current key.
   *
   * @default true, unless the kite.key is from a Kontrol without handovers, such as the Go Kontrol
   */
  readonly requireKeyHandover?: boolean | undefined;
}

/** New keys from Kontrol (docs/kontrol-protocol.md §6). */
export interface TrustUpdate {
  /** The new kite.key. */
  readonly kiteKey?: string | undefined;
  /** The new public key to trust, PEM. */
  readonly kontrolKey?: string | undefined;
  /** The handover to `kontrolKey`, signed by the currently trusted key. */
  readonly keyHandover?: string | undefined;
}

const DEFAULT_OVERLAP = 176_400_000;

/** Milliseconds between two requests for new keys, even if many invalid tokens arrive. */
const LEAST_PAUSE = 1_000;

/** The maximum number of former keys that stay trusted. */
const MOST_FORMER = 8;

/**
 * Called when the trusted keys or the kite.key have changed.
 *
 * @param formerKiteKey The kite.key before the change, which may be the same as after it.
 */
export type TrustListener = (formerKiteKey: string | undefined) => void;

/** The keys that a kite trusts, and its own kite.key. Both may change while the kite runs. */
export class Trust {
  readonly #overlap: number;
  readonly #requireHandover: boolean | undefined;
  readonly #listeners = new Set<TrustListener>();
  #former: { readonly key: string; readonly until: number }[] = [];
  #keys: readonly string[];
  #kiteKey: string | undefined;
  #kontrolKey: string | undefined;
  #kontrolUser: string;
  #asking: Promise<void> | undefined;
  #askedAt = -Infinity;
  /** Requests new keys from Kontrol and adopts them; undefined if there is no Kontrol. */
  source: (() => Promise<unknown>) | undefined;

  constructor(options: TrustOptions) {
    const { kontrolKey } = options;
    this.#kiteKey = options.kiteKey;
    this.#kontrolKey = kontrolKey === undefined ? undefined : canonicalPublicKey(kontrolKey);
    this.#kontrolUser = options.kontrolUser ?? "";
    this.#overlap = options.keyOverlap ?? DEFAULT_OVERLAP;
    this.#requireHandover = options.requireKeyHandover;
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

  /** Returns the trusted keys, the current one first. Returns the same array until they change. */
  readonly trustedKeys = (): readonly string[] => {
    if (this.#former.length > 0 && this.#former.some(({ until }) => until <= Date.now())) {
      this.#former = this.#former.filter(({ until }) => until > Date.now());
      this.#collect();
    }
    return this.#keys;
  };

  /** Returns until when a key is trusted, milliseconds since 1970; 0 for an untrusted key. */
  readonly trustedUntil = (key: string): number => {
    if (key === this.#kontrolKey) return Infinity;
    return this.#former.find((former) => former.key === key)?.until ?? 0;
  };

  /**
   * Verifies and adopts new keys. A new Kontrol key needs a handover signed by the current one. A new
   * kite.key must be of the same user and signed by the Kontrol key. See
   * {@linkcode TrustOptions.requireKeyHandover} for Kontrols without handovers.
   *
   * @returns True if anything changed.
   * @throws {KiteError} `authenticationError` if a key cannot be verified; then none is adopted.
   */
  async adopt(update: TrustUpdate): Promise<boolean> {
    const before = this.#kontrolKey;
    const { kontrolKey = "" } = update;
    const key = kontrolKey.trim() === "" ? before : canonicalPublicKey(kontrolKey);
    const kiteKey = update.kiteKey?.trim() || this.#kiteKey;
    if (key !== before) await this.#checkHandover(before, key!, update.keyHandover);
    if (kiteKey !== this.#kiteKey) await this.#checkKiteKey(kiteKey!, key);
    // A concurrent call changed the current key, so this update must be verified again.
    if (this.#kontrolKey !== before) return await this.adopt(update);
    return this.#replace(kiteKey, key);
  }

  /**
   * Requests new keys after a token that no trusted key has signed: Kontrol may have changed its key
   * pair. Concurrent calls share one request; there is at most one per second.
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
      // The token is then refused, as without the request.
    }
  }

  /**
   * Adds a listener for changes.
   *
   * @returns A function that removes it.
   */
  onChange(listener: TrustListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  async #checkHandover(
    currentKey: string | undefined,
    nextKey: string,
    handover: string | undefined,
  ): Promise<void> {
    if (handover === undefined && !this.#needsHandover()) {
      await importPublicKey(nextKey).catch((cause: unknown) => {
        throw unvouchedKey("it is not a key", cause);
      });
      return;
    }
    if (currentKey === undefined) {
      throw unvouchedKey("there is no trusted key that could verify it");
    }
    if (handover === undefined) {
      throw unvouchedKey(
        "it came without a handover signed by the current key; " +
          "set requireKeyHandover to false if this Kontrol cannot sign one",
      );
    }
    try {
      const kontrolUser = this.#kontrolUser;
      await verifyKeyHandover(handover, { kontrolUser, currentKey, nextKey });
    } catch (cause) {
      throw unvouchedKey(cause instanceof KiteError ? cause.message : "unexpected error", cause);
    }
  }

  /** By default, the kite.key states whether its Kontrol signs handovers. */
  #needsHandover(): boolean {
    if (this.#requireHandover !== undefined) return this.#requireHandover;
    return this.#kiteKey === undefined || readClaims(this.#kiteKey).keyHandover === true;
  }

  async #checkKiteKey(kiteKey: string, kontrolKey: string | undefined): Promise<void> {
    const { sub, kontrolKey: named = "" } = readClaims(kiteKey);
    const own = this.#kiteKey === undefined ? undefined : readClaims(this.#kiteKey).sub;
    if (kontrolKey === undefined || canonicalPublicKey(named) !== kontrolKey) {
      throw unvouchedKey("the new kite.key names another key");
    }
    if (sub === undefined || (own !== undefined && sub !== own)) {
      throw unvouchedKey("the new kite.key belongs to another user");
    }
    const token = parseToken(kiteKey, KEY_ALGORITHMS);
    if (!await hasSignatureOf(token, await importPublicKey(kontrolKey))) {
      throw unvouchedKey("it did not sign the new kite.key");
    }
  }

  #replace(kiteKey: string | undefined, key: string | undefined): boolean {
    const formerKiteKey = this.#kiteKey;
    const before = this.#kontrolKey;
    if (kiteKey === formerKiteKey && key === before) return false;
    this.#kiteKey = kiteKey;
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

  #collect(): void {
    const current = this.#kontrolKey === undefined ? [] : [this.#kontrolKey];
    this.#keys = [...current, ...this.#former.map(({ key }) => key)];
  }
}

function readClaims(kiteKey: string): ReturnType<typeof readKiteKeyClaims> {
  try {
    return readKiteKeyClaims(kiteKey);
  } catch (cause) {
    throw unvouchedKey("the kite.key cannot be read", cause);
  }
}
