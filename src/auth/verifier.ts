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
import { cannotUse } from "../protocol/refusal.ts";

/** The result of verifying a token or kite.key. */
export interface Verified {
  /** The authenticated user; never empty. */
  readonly username: string;
  /** When the token expires, milliseconds since 1970; `Infinity` if never. */
  readonly expires: number;
  /** Until when this result is valid: until the token expires or its signer is no longer trusted. */
  readonly until: number;
  /** All claims. */
  readonly claims: JwtClaims;
}

/**
 * Verifies tokens or kite.keys. Each valid one is checked once and cached until it expires or the
 * trusted keys change.
 */
export interface Verifier {
  /** Returns the cached result of an earlier {@linkcode Verifier.verify}, if it is still valid. */
  cached(token: string): Verified | undefined;
  /**
   * Verifies a token or kite.key.
   *
   * @throws {KiteError} `authenticationError`, whose message does not include the authentication type
   */
  verify(token: string): Promise<Verified>;
}

/** The common options of the verifiers. */
export interface VerifierOptions {
  /**
   * Returns the trusted public keys, PEM: the key of our Kontrol, and during a key change the former
   * one, too. It is called for every request, so it must be fast.
   */
  readonly trustedKeys: () => readonly string[];
  /**
   * Returns until when one of the trusted keys is trusted, milliseconds since 1970.
   *
   * @param key The canonical text of the key, see {@linkcode canonicalPublicKey}.
   *
   * @default Infinity
   */
  readonly trustedUntil?: (key: string) => number;
  /**
   * The accepted signature algorithms.
   *
   * @default ["RS256", "ES256", "EdDSA"]
   */
  readonly algorithms?: readonly KeyAlgorithm[];
  /**
   * Accepted clock difference, milliseconds.
   *
   * @default 0
   */
  readonly clockTolerance?: number;
  /**
   * The maximum number of cached results; 0 disables caching.
   *
   * @default 10_000
   */
  readonly cacheSize?: number;
  /**
   * Returns the time, milliseconds since 1970.
   *
   * @default Date.now
   */
  readonly now?: () => number;
}

/** The maximum number of trusted keys, since each one adds to the cost of a check. */
const MAX_TRUSTED_KEYS = 64;

/** The base of both verifiers. It parses tokens, and caches results until the trusted keys change. */
export abstract class CachingVerifier implements Verifier {
  readonly #options: VerifierOptions;
  readonly #algorithms: readonly KeyAlgorithm[];
  readonly #tolerance: number;
  readonly #cache: SharedCache<Verified>;
  readonly #imported = new Map<string, Promise<PublicKey>>();
  #trust: readonly string[] = [];
  /** Returns the time, milliseconds since 1970. */
  protected readonly now: () => number;

  /** @throws {KiteError} `configError`, naming the invalid option. */
  constructor(options: VerifierOptions) {
    const { algorithms = KEY_ALGORITHMS, clockTolerance = 0, cacheSize = 10_000 } = options;
    for (const algorithm of algorithms) {
      if (!KEY_ALGORITHMS.includes(algorithm)) {
        const rule = `must be a list of ${KEY_ALGORITHMS.join(", ")}`;
        throw cannotUse("algorithms", rule, { value: algorithm });
      }
    }
    if (!Number.isFinite(clockTolerance) || clockTolerance < 0) {
      const rule = "must be a number of milliseconds, at least 0";
      throw cannotUse("clockTolerance", rule, { value: clockTolerance });
    }
    if (!Number.isSafeInteger(cacheSize) || cacheSize < 0) {
      throw cannotUse("cacheSize", "must be an integer of at least 0", { value: cacheSize });
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

  /** Returns everything that results depend on besides the token. A change clears the cache. */
  protected trust(): readonly string[] {
    return this.#options.trustedKeys();
  }

  /** Returns the canonical texts of the trusted keys. */
  protected trustedKeys(): readonly string[] {
    return this.#options.trustedKeys().slice(0, MAX_TRUSTED_KEYS).map(canonicalPublicKey);
  }

  /** Returns until when a key of {@linkcode CachingVerifier.trustedKeys} is trusted. */
  protected trustedUntil(key: string): number {
    return this.#options.trustedUntil?.(key) ?? Infinity;
  }

  /**
   * Checks the signer and the signature.
   *
   * @returns Until when the signer is trusted, milliseconds since 1970.
   * @throws {KiteError} `authenticationError`
   */
  protected abstract checkSigner(token: UnverifiedToken): Promise<number>;

  /**
   * Checks the claims of a token with a valid signature and valid times.
   *
   * @throws {KiteError} `authenticationError`
   */
  protected abstract checkClaims(claims: JwtClaims): void;

  /** Imports a trusted key, once. */
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
 * Returns the username in verified claims.
 *
 * @throws {KiteError} `authenticationError` if there is none.
 */
export function usernameOf(claims: JwtClaims): string {
  if (claims.sub === undefined || claims.sub === "") throw refusal("token has no username");
  return claims.sub;
}
