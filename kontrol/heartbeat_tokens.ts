import { SharedCache } from "../src/auth/cache.ts";
import { checkTimes, isRefusal, parseToken, signToken } from "../src/auth/jwt.ts";
import { KEY_ALGORITHMS } from "../src/auth/keys.ts";
import { isUuid } from "../src/protocol/identity.ts";
import type { KeyRing } from "./key_ring.ts";
import type { Registry } from "./registry.ts";
import type { Storage } from "./storage/storage.ts";

/** The audience of these tokens: no kite answers to it. */
const AUDIENCE = "kontrol:heartbeat";

/** Good tokens that are remembered. */
const CACHE_SIZE = 10_000;

/** Seconds that a token is good: far longer than a kite goes without registering anew. */
const LIFETIME = 30 * 24 * 3600;

/** Seconds by which the clocks of two Kontrols may differ. */
const LEEWAY = 300;

/** What heartbeats need to know. */
export interface HeartbeatTokensOptions {
  readonly registry: Registry;
  readonly storage: Storage;
  readonly keys: KeyRing;
}

/**
 * Heartbeats over HTTP. A kite that asked for a token when it registered must show it with each
 * heartbeat: knowing its id, which every query tells, is not enough to keep it alive. Any Kontrol
 * that shares the key pairs takes the token, so that a heartbeat may go to another one.
 *
 * The token names neither an issuer nor a user (`iss`, `sub`): the caller chose the id in it, and no
 * kite must take it for a token of a user who is named like that, whatever its `audience` rule.
 *
 * Go kites know no token: for them the id has to do, at the Kontrol where they registered.
 */
export class HeartbeatTokens {
  readonly #options: HeartbeatTokensOptions;
  /** Kites that registered here and asked for a token. */
  readonly #guarded = new Set<string>();
  /** The ids of good tokens. */
  readonly #verified = new SharedCache<string>(CACHE_SIZE, Date.now);

  constructor(options: HeartbeatTokensOptions) {
    this.#options = options;
  }

  /** A token for the heartbeats of a kite. */
  async issue(id: string): Promise<string> {
    const { keys } = this.#options;
    const own = await keys.own();
    const now = Math.floor(Date.now() / 1000);
    if (this.#guarded.size > 2 * this.#options.registry.size + 1_000) this.#prune();
    this.#guarded.add(id);
    return await signToken(
      { jti: id, aud: AUDIENCE, iat: now - LEEWAY, exp: now + LIFETIME },
      await keys.privateKey(own),
      { keyId: own.id },
    );
  }

  /** @returns false when the kite has to register again */
  async heard(id: string, token: string | undefined): Promise<boolean> {
    const { registry, storage } = this.#options;
    if (token === undefined) {
      return !this.#guarded.has(id) && registry.heard(id);
    }
    if (!isUuid(id) || !await this.#isGood(id, token)) return false;
    if (registry.heard(id)) return true;
    // Registered at another Kontrol, which may be gone: from now on it is kept here.
    const [registration] = await storage.get({ id }, { limit: 1 });
    if (registration === undefined || registry.isKept(id, "connection")) return false;
    await registry.add(registration, "http");
    this.#guarded.add(id);
    return true;
  }

  async #isGood(id: string, token: string): Promise<boolean> {
    try {
      return await this.#verified.obtain(token, () => this.#verify(token)) === id;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  /** The id that a token is for; `""` if no key pair of ours signed it. */
  async #verify(text: string): Promise<{ value: string; until: number }> {
    const token = parseToken(text, KEY_ALGORITHMS);
    const { iss, sub, aud, jti = "", exp = 0 } = token.claims;
    const isOurs = iss === undefined && sub === undefined && aud === AUDIENCE;
    checkTimes(token.claims, Date.now(), 0);
    // Deleted pairs count too: the token was good when it was handed out.
    const isGood = isOurs && await this.#options.keys.hasSigned(token);
    return isGood ? { value: jti, until: exp * 1_000 } : { value: "", until: 0 };
  }

  #prune(): void {
    for (const id of this.#guarded) {
      if (!this.#options.registry.isKept(id, "http")) this.#guarded.delete(id);
    }
  }
}
