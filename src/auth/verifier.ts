import { type Remembered, SharedCache } from "./cache.ts";
import type { JwtClaims } from "./claims.ts";
import { checkTimes, parseToken, refusal, type UnverifiedToken } from "./jwt.ts";
import {
  canonicalPublicKey,
  importPublicKey,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  type PublicKey,
} from "./keys.ts";
import { KiteError } from "../protocol/errors.ts";

/** What a good token or kite.key says of the caller. */
export interface Verified {
  /** Whom it speaks for; never empty. */
  readonly username: string;
  /** When it ends, milliseconds since 1970; `Infinity` if it never does. */
  readonly expires: number;
  /** Until when this result holds: the end of the token, or of the trust in its signer. */
  readonly until: number;
  /** All that it says. */
  readonly claims: JwtClaims;
}

/**
 * Tells whether a text proves who the caller is. Each good text is checked once and remembered
 * until it expires, or until what is trusted changes.
 */
export interface Verifier {
  /** The result of an earlier {@linkcode Verifier.verify} that still holds. */
  cached(token: string): Verified | undefined;
  /**
   * @throws {KiteError} `authenticationError`; the message says why, without the authentication
   * type before it.
   */
  verify(token: string): Promise<Verified>;
}

/** What the verifiers have in common. */
export interface VerifierOptions {
  /**
   * The public keys that are trusted now, PEM: our Kontrol's, and during a change of keys the old
   * one too. Asked on every call, so it should only hand out what is at hand.
   */
  readonly trustedKeys: () => readonly string[];
  /**
   * Until when one of the trusted keys counts, milliseconds since 1970.
   *
   * @param key The canonical text of the key, see {@linkcode canonicalPublicKey}; default: Infinity
   */
  readonly trustedUntil?: (key: string) => number;
  /**
   * The signature algorithms that will do.
   *
   * @default ["RS256", "ES256", "EdDSA"]
   */
  readonly algorithms?: readonly KeyAlgorithm[];
  /**
   * How far the clocks of two machines may differ, milliseconds.
   *
   * @default 0
   */
  readonly clockTolerance?: number;
  /**
   * How many good texts are remembered; 0 for none.
   *
   * @default 10_000
   */
  readonly cacheSize?: number;
  /**
   * The clock, milliseconds since 1970.
   *
   * @default Date.now
   */
  readonly now?: () => number;
}

/** Trusted keys tried at most, since each one adds to the cost of a check. */
const MAX_TRUSTED_KEYS = 64;

/** The common part of both verifiers: parses, caches, and drops the cache when trust changes. */
export abstract class CachingVerifier implements Verifier {
  readonly #options: VerifierOptions;
  readonly #algorithms: readonly KeyAlgorithm[];
  readonly #tolerance: number;
  readonly #cache: SharedCache<Verified>;
  readonly #imported = new Map<string, Promise<PublicKey>>();
  #trust: readonly string[] = [];
  /** The clock, milliseconds since 1970. */
  protected readonly now: () => number;

  /** @throws {KiteError} `configError`, naming the option that is wrong. */
  constructor(options: VerifierOptions) {
    const { algorithms = KEY_ALGORITHMS, clockTolerance = 0, cacheSize = 10_000 } = options;
    for (const algorithm of algorithms) {
      if (!KEY_ALGORITHMS.includes(algorithm)) {
        throw bad("algorithms", `a list of ${KEY_ALGORITHMS.join(", ")}`);
      }
    }
    if (!Number.isFinite(clockTolerance) || clockTolerance < 0) {
      throw bad("clockTolerance", "milliseconds, 0 or more");
    }
    if (!Number.isSafeInteger(cacheSize) || cacheSize < 0) {
      throw bad("cacheSize", "a whole number, 0 or more");
    }
    this.#options = options;
    this.#algorithms = algorithms;
    this.#tolerance = clockTolerance;
    this.now = options.now ?? Date.now;
    this.#cache = new SharedCache(cacheSize, this.now);
  }

  /** See {@linkcode Verifier.cached}. */
  cached(token: string): Verified | undefined {
    this.#noticeTrust();
    return this.#cache.get(token);
  }

  /** See {@linkcode Verifier.verify}. */
  async verify(token: string): Promise<Verified> {
    this.#noticeTrust();
    return await this.#cache.obtain(token, () => this.#check(token));
  }

  /** Everything that results depend on besides the token; a change drops all of them. */
  protected trust(): readonly string[] {
    return this.#options.trustedKeys();
  }

  /** The trusted keys, each in its canonical text. */
  protected trustedKeys(): readonly string[] {
    return this.#options.trustedKeys().slice(0, MAX_TRUSTED_KEYS).map(canonicalPublicKey);
  }

  /** Until when a key of {@linkcode CachingVerifier.trustedKeys} counts. */
  protected trustedUntil(key: string): number {
    return this.#options.trustedUntil?.(key) ?? Infinity;
  }

  /**
   * Checks who signed, and the signature.
   *
   * @returns Until when the signer is trusted, milliseconds since 1970.
   * @throws {KiteError} `authenticationError`
   */
  protected abstract checkSigner(token: UnverifiedToken): Promise<number>;

  /**
   * Checks the claims of a token whose signature and times hold.
   *
   * @throws {KiteError} `authenticationError`
   */
  protected abstract checkClaims(claims: JwtClaims): void;

  /** The key of a trusted PEM, imported once. */
  protected import(pem: string): Promise<PublicKey> {
    const known = this.#imported.get(pem);
    if (known !== undefined) return known;
    if (this.#imported.size >= MAX_TRUSTED_KEYS) this.#imported.clear();
    const imported = importPublicKey(pem);
    this.#imported.set(pem, imported);
    return imported;
  }

  async #check(text: string): Promise<Remembered<Verified>> {
    const token = parseToken(text, this.#algorithms);
    const trustedUntil = await this.checkSigner(token);
    const { claims } = token;
    checkTimes(claims, this.now(), this.#tolerance);
    this.checkClaims(claims);
    const expires = claims.exp === undefined ? Infinity : claims.exp * 1000;
    const until = Math.min(expires + this.#tolerance, trustedUntil);
    return {
      value: Object.freeze({ username: usernameOf(claims), expires, until, claims }),
      until,
    };
  }

  #noticeTrust(): void {
    const trust = this.trust();
    const known = this.#trust;
    let same = trust.length === known.length;
    for (let index = 0; same && index < trust.length; index++) same = trust[index] === known[index];
    if (same) return;
    this.#trust = trust.slice();
    this.#cache.clear();
  }
}

/**
 * The username that verified claims give.
 *
 * @throws {KiteError} `authenticationError`: none.
 */
export function usernameOf(claims: JwtClaims): string {
  if (claims.sub === undefined || claims.sub === "") throw refusal("token has no username");
  return claims.sub;
}

function bad(option: string, expected: string): KiteError {
  return new KiteError("configError", `option ${option} must be ${expected}`);
}
