import { KiteError } from "../protocol/errors.ts";
import { unvouchedKey, verifyKeyHandover } from "./handover.ts";
import { hasSignatureOf, parseToken } from "./jwt.ts";
import { canonicalPublicKey, importPublicKey, KEY_ALGORITHMS } from "./keys.ts";
import { readKiteKeyClaims } from "./kite_key.ts";

/** What a kite trusts at first, and by which rules that changes. */
export interface TrustOptions {
  /** The text of our kite.key. */
  readonly kiteKey?: string | undefined;
  /** Our Kontrol's public key, PEM. */
  readonly kontrolKey?: string | undefined;
  /** Our Kontrol's username. */
  readonly kontrolUser?: string | undefined;
  /**
   * Milliseconds for which a replaced Kontrol key stays trusted. The default covers every token
   * signed before the change, so that no call fails because of it.
   *
   * @default 176_400_000 (49 h)
   */
  readonly keyOverlap?: number | undefined;
  /**
   * Adopts a new key only with a handover that the current key signed.
   *
   * @default true, unless our kite.key is of a Kontrol that signs no handovers, as the Go Kontrol
   */
  readonly requireKeyHandover?: boolean | undefined;
}

/** New keys that Kontrol handed out (docs/kontrol-protocol.md §6). */
export interface TrustUpdate {
  /** A kite.key signed anew. */
  readonly kiteKey?: string | undefined;
  /** The public key to trust from now on, PEM. */
  readonly kontrolKey?: string | undefined;
  /** The statement of the key trusted now that `kontrolKey` replaces it. */
  readonly keyHandover?: string | undefined;
}

const DEFAULT_OVERLAP = 176_400_000;

/** Milliseconds between two requests for new keys, however many made-up tokens arrive. */
const LEAST_PAUSE = 1_000;

/** Former keys kept at most. */
const MOST_FORMER = 8;

/**
 * Called when what is trusted has changed.
 *
 * @param formerKiteKey The kite.key until now, whether it changed or not.
 */
export type TrustListener = (formerKiteKey: string | undefined) => void;

/** Whom a kite trusts, and the kite.key that it shows: both may change while it runs. */
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
  /** Asks Kontrol for new keys and adopts them; undefined while there is no Kontrol to ask. */
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

  /** Every key trusted now, the current one first; the same array until that changes. */
  readonly trustedKeys = (): readonly string[] => {
    if (this.#former.length > 0 && this.#former.some(({ until }) => until <= Date.now())) {
      this.#former = this.#former.filter(({ until }) => until > Date.now());
      this.#collect();
    }
    return this.#keys;
  };

  /** Until when a key is trusted, milliseconds since 1970; 0 for one that is not. */
  readonly trustedUntil = (key: string): number => {
    if (key === this.#kontrolKey) return Infinity;
    return this.#former.find((former) => former.key === key)?.until ?? 0;
  };

  /**
   * Adopts new keys if what is trusted already vouches for them: a new Kontrol key needs a handover
   * signed by the current one, and a new kite.key must speak for the same user and be signed by the
   * Kontrol key. See {@linkcode TrustOptions.requireKeyHandover} for Kontrols without handovers.
   *
   * @returns Whether anything changed.
   * @throws {KiteError} `authenticationError`: nothing vouches for the keys, and none was adopted.
   */
  async adopt(update: TrustUpdate): Promise<boolean> {
    const before = this.#kontrolKey;
    const { kontrolKey = "" } = update;
    const key = kontrolKey.trim() === "" ? before : canonicalPublicKey(kontrolKey);
    const kiteKey = update.kiteKey?.trim() || this.#kiteKey;
    if (key !== before) await this.#checkHandover(before, key!, update.keyHandover);
    if (kiteKey !== this.#kiteKey) await this.#checkKiteKey(kiteKey!, key);
    // Another answer was adopted meanwhile: this one has to hold against what that changed.
    if (this.#kontrolKey !== before) return await this.adopt(update);
    return this.#replace(kiteKey, key);
  }

  /**
   * Asks for new keys, because a token arrived that no trusted key has signed: Kontrol may have
   * changed its key pair. Concurrent callers share one request, and at most one a second is made.
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
      // Without an answer the token is refused, as it would have been without the request.
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
    if (currentKey === undefined) throw unvouchedKey("no key is trusted that could vouch for it");
    if (handover === undefined) {
      throw unvouchedKey(
        "it came without a handover signed by the present key; " +
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

  /** A kite.key that our Kontrol signed tells whether it signs handovers, too. */
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
      throw unvouchedKey("the new kite.key speaks for another user");
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
