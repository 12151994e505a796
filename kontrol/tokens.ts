import { type Remembered, SharedCache } from "../src/auth/cache.ts";
import { signToken } from "../src/auth/jwt.ts";
import { KiteError } from "../src/protocol/errors.ts";
import type { Allowance, TaskQueue } from "./budgets.ts";
import type { KeyRing } from "./key_ring.ts";
import type { StoredKeyPair } from "./storage/storage.ts";

/** Which token is asked for. */
export interface TokenRequest {
  /** `/username/environment/name` of the kite that was found (`audienceOf`), never from a query. */
  readonly audience: string;
  /** The caller, authenticated. */
  readonly username: string;
  /** The key pair that the target kite registered under. */
  readonly keyId: string;
  /**
   * Signs a new one even if one is at hand.
   *
   * @default false
   */
  readonly force?: boolean;
  /**
   * When the token ends at the latest, milliseconds since 1970.
   *
   * @default Infinity
   */
  readonly notAfter?: number;
}

/** A token that is remembered. */
interface Issued {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** What a {@linkcode TokenIssuer} must know. */
export interface TokenIssuerOptions {
  /** The key pairs. */
  readonly keys: KeyRing;
  /** Kontrol's username, the issuer of every token. */
  readonly issuer: () => string;
  /**
   * Signs for one user after the other.
   *
   * @default signs everything at once
   * @internal
   */
  readonly queue?: TaskQueue;
  /**
   * How many signatures of one user may wait.
   *
   * @default without a limit
   * @internal
   */
  readonly allowance?: Allowance;
  /**
   * How long a token is good, milliseconds; with the leeway less than 24 days.
   *
   * @default 172_800_000, 48 h
   */
  readonly timeToLive?: number;
  /**
   * By how much it begins earlier and ends later, for clocks that differ, milliseconds.
   *
   * @default 300_000
   */
  readonly leeway?: number;
  /**
   * Puts `nbf` in.
   *
   * @default true
   */
  readonly notBefore?: boolean;
  /**
   * How many tokens are remembered; 0 for none.
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

const HOUR = 3_600_000;
/** kite.js sets one timer for the renewal; beyond 24.8 days it would fire at once, for ever. */
const MAX_LIFE = 24 * 24 * HOUR;
/**
 * Renewers ask up to 5 minutes before the end, and spin if they get the same token again: a token
 * this close to its end is not handed out any more, milliseconds.
 */
const LAST_STRETCH = 360_000;

/**
 * Signs the tokens with which kites call each other (docs/kontrol-protocol.md §5). One token
 * serves every call of one user for one kind of kite, until near its end.
 */
export class TokenIssuer {
  readonly #options: TokenIssuerOptions;
  readonly #timeToLive: number;
  readonly #leeway: number;
  readonly #now: () => number;
  readonly #tokens: SharedCache<Issued>;
  #signed = 0;

  /** @throws {KiteError} `configError`, naming the option that is wrong. */
  constructor(options: TokenIssuerOptions) {
    const { timeToLive = 48 * HOUR, leeway = 300_000, cacheSize = 10_000 } = options;
    if (!(timeToLive >= 1_000)) throw bad("timeToLive", "milliseconds, at least 1000");
    if (!(leeway >= 0)) throw bad("leeway", "milliseconds, 0 or more");
    if (!(timeToLive + leeway < MAX_LIFE)) {
      throw bad("timeToLive", `with the leeway below 24 days (${MAX_LIFE} milliseconds)`);
    }
    if (!Number.isSafeInteger(cacheSize) || cacheSize < 0) {
      throw bad("cacheSize", "a whole number, 0 or more");
    }
    this.#options = options;
    this.#timeToLive = timeToLive;
    this.#leeway = leeway;
    this.#now = options.now ?? Date.now;
    this.#tokens = new SharedCache(cacheSize, this.#now);
  }

  /** Tokens signed so far; all others that were issued were at hand. */
  get signed(): number {
    return this.#signed;
  }

  /**
   * A token for the request: the one at hand unless it is near its end or `force` is set, else a
   * new one. Requests alike at the same time share one signature.
   *
   * @throws {KiteError} `configError`: there is no key to sign with, or a field is empty.
   */
  async issue(request: TokenRequest): Promise<string> {
    const { audience, username, keyId, force = false, notAfter = Infinity } = request;
    const issuer = this.#options.issuer();
    if (audience === "" || username === "" || issuer === "") {
      throw new KiteError("configError", "a token needs an audience, a username and an issuer");
    }
    const pair = await this.#options.keys.signerFor(keyId);
    const regularEnd = this.#now() + this.#timeToLive + this.#leeway;
    const bound = notAfter < regularEnd ? notAfter : Infinity;
    const name = JSON.stringify([audience, username, issuer, pair.id, bound]);
    const who = { iss: issuer, sub: username, aud: audience };
    const sign = (): Promise<Remembered<Issued>> =>
      this.#inTurn(username, async () => {
        const at = this.#now();
        const end = Math.min(at + this.#timeToLive + this.#leeway, bound);
        const token = await this.#sign(pair, who, at, end);
        const until = bound === Infinity
          ? Math.min(end - 2 * this.#leeway, end - LAST_STRETCH)
          : bound;
        return { value: { token, at }, until };
      });
    const known = force ? undefined : this.#tokens.get(name);
    // After the clock was set back, a token would not be good yet.
    const isGood = known !== undefined && known.at - this.#leeway <= this.#now();
    return isGood ? known.token : (await this.#tokens.renew(name, sign)).token;
  }

  #inTurn<Result>(username: string, task: () => Promise<Result>): Promise<Result> {
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

function bad(option: string, expected: string): KiteError {
  return new KiteError("configError", `option ${option} must be ${expected}`);
}
