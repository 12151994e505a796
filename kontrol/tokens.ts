import { type Remembered, SharedCache } from "../src/auth/cache.ts";
import { signToken } from "../src/auth/jwt.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { cannotUse } from "../src/protocol/refusal.ts";
import type { Allowance, TaskQueue } from "./budgets.ts";
import type { KeyRing } from "./key_ring.ts";
import type { StoredKeyPair } from "./storage/storage.ts";

/** A request for a token. */
export interface TokenRequest {
  /** `/username/environment/name` of the kite that was found (`audienceOf`), never of a query. */
  readonly audience: string;
  /** The authenticated caller. */
  readonly username: string;
  /** The ID of the key pair with which the target kite registered. */
  readonly keyId: string;
  /**
   * Sign a new token even if there is one in the cache.
   *
   * @default false
   */
  readonly force?: boolean;
  /**
   * The latest expiry of the token, milliseconds since 1970.
   *
   * @default Infinity
   */
  readonly notAfter?: number;
}

/** A cached token. */
interface Issued {
  readonly token: string;
  /** When it was signed, milliseconds since 1970. */
  readonly at: number;
}

/** The options of {@linkcode TokenIssuer}. */
export interface TokenIssuerOptions {
  /** The key pairs. */
  readonly keys: KeyRing;
  /** Kontrol's username, the issuer of every token. */
  readonly issuer: () => string;
  /**
   * The queue in which users take turns to sign.
   *
   * @default signs everything at once
   * @internal
   */
  readonly queue?: TaskQueue;
  /**
   * The limit of signatures per user.
   *
   * @default without a limit
   * @internal
   */
  readonly allowance?: Allowance;
  /**
   * Milliseconds for which a token is valid; together with the leeway less than 24 days.
   *
   * @default 172_800_000 (48 hours)
   */
  readonly timeToLive?: number;
  /**
   * Milliseconds by which the validity starts earlier and ends later, to tolerate clock differences.
   *
   * @default 300_000
   */
  readonly leeway?: number;
  /**
   * Include the claim `nbf`.
   *
   * @default true
   */
  readonly notBefore?: boolean;
  /**
   * Maximum number of cached tokens; 0 disables the cache.
   *
   * @default 10_000
   */
  readonly cacheSize?: number;
  /**
   * The wall clock in milliseconds since 1970.
   *
   * @default Date.now
   */
  readonly now?: () => number;
}

const HOUR = 3_600_000;
/** kite.js renews tokens with a single timer, which beyond 24.8 days would fire immediately. */
const MAX_LIFE = 24 * 24 * HOUR;
/**
 * A cached token is not issued in its last milliseconds: clients renew a token up to 5 minutes before
 * it expires, and would repeat the request at once if they got the same token.
 */
const MIN_REMAINING = 360_000;

/**
 * Signs the tokens with which kites call each other (docs/kontrol-protocol.md §5). One token serves
 * all calls of a user to kites with the same name, until shortly before it expires.
 */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #timeToLive: number;
  readonly #leeway: number;
  readonly #now: () => number;
  readonly #tokens: SharedCache<Issued>;
  #signed = 0;

  /** @throws {KiteError} `configError` that names the invalid option */
  constructor(options: TokenIssuerOptions) {
    const { timeToLive = 48 * HOUR, leeway = 300_000, cacheSize = 10_000 } = options;
    const check = (isValid: boolean, name: string, rule: string, value: number): void => {
      if (!isValid) throw cannotUse(`tokens.${name}`, rule, { value });
    };
    const limit = `must be, together with leeway, less than ${MAX_LIFE} milliseconds (24 days)`;
    check(timeToLive >= 1_000, "timeToLive", "must be milliseconds, at least 1000", timeToLive);
    check(leeway >= 0, "leeway", "must be milliseconds, at least 0", leeway);
    check(timeToLive + leeway < MAX_LIFE, "timeToLive", limit, timeToLive);
    const isSize = Number.isSafeInteger(cacheSize) && cacheSize >= 0;
    check(isSize, "cacheSize", "must be an integer of at least 0", cacheSize);
    this.#options = options;
    this.#timeToLive = timeToLive;
    this.#leeway = leeway;
    this.#now = options.now ?? Date.now;
    this.#tokens = new SharedCache(cacheSize, this.#now);
  }

  /** The number of tokens signed so far. All others were issued from the cache. */
  get signed(): number {
    return this.#signed;
  }

  /**
   * Issues a token: the cached one, unless it expires soon or `force` is set; otherwise a new one.
   * Concurrent equal requests share one signature.
   *
   * @throws {KiteError} `configError`: there is no key to sign with, or a field is empty
   */
  async issue(request: TokenRequest): Promise<string> {
    const { audience, username, keyId, force = false, notAfter = Infinity } = request;
    const issuer = this.#options.issuer();
    if (audience === "" || username === "" || issuer === "") {
      const reason = "it must have an audience, a username and an issuer";
      throw new KiteError("configError", `Cannot sign a token: ${reason}`);
    }
    const pair = await this.#options.keys.signerFor(keyId);
    const regularEnd = this.#now() + this.#timeToLive + this.#leeway;
    const bound = notAfter < regularEnd ? notAfter : Infinity;
    const name = JSON.stringify([audience, username, issuer, pair.id, bound]);
    const who = { iss: issuer, sub: username, aud: audience };
    const sign = (): Promise<Remembered<Issued>> =>
      this.#schedule(username, async () => {
        const at = this.#now();
        const end = Math.min(at + this.#timeToLive + this.#leeway, bound);
        const token = await this.#sign(pair, who, at, end);
        const until = bound === Infinity
          ? Math.min(end - 2 * this.#leeway, end - MIN_REMAINING)
          : bound;
        return { value: { token, at }, until };
      });
    const known = force ? undefined : this.#tokens.get(name);
    // If the wall clock was set back, a cached token may not be valid yet.
    const isValid = known !== undefined && known.at - this.#leeway <= this.#now();
    return isValid ? known.token : (await this.#tokens.renew(name, sign)).token;
  }

  #schedule<Result>(username: string, task: () => Promise<Result>): Promise<Result> {
    const { queue, allowance } = this.#options;
    const run = (): Promise<Result> => queue === undefined ? task() : queue.run(username, task);
    return allowance === undefined ? run() : allowance.during(username, run);
  }

  async #sign(
    pair: StoredKeyPair,
    who: { readonly iss: string; readonly sub: string; readonly aud: string },
    issued: number,
    end: number,
  ): Promise<string> {
    this.#signed++;
    const begin = Math.floor((issued - this.#leeway) / 1000);
    return await signToken(
      {
        ...who,
        exp: Math.floor(end / 1000),
        iat: begin,
        ...(this.#options.notBefore === false ? {} : { nbf: begin }),
        jti: crypto.randomUUID(),
      },
      await this.#options.keys.privateKey(pair),
      { keyId: pair.id },
    );
  }
}
