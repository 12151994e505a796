import { SharedCache } from "../src/auth/cache.ts";
import { checkTimes, isRefusal, parseToken, signToken } from "../src/auth/jwt.ts";
import { KEY_ALGORITHMS } from "../src/auth/keys.ts";
import { isUuid } from "../src/protocol/identity.ts";
import type { KeyRing } from "./key_ring.ts";
import type { Registry } from "./registry.ts";
import type { Storage } from "./storage/storage.ts";

/** The audience of these tokens, which is not a kite's. */
const AUDIENCE = "kontrol:heartbeat";

/** Maximum number of verified tokens in the cache. */
const CACHE_SIZE = 10_000;

/** Seconds until a token expires, much longer than the time between two registrations of a kite. */
const LIFETIME = 30 * 24 * 3600;

/** Seconds by which the clocks of two Kontrols may differ. */
const LEEWAY = 300;

/** The dependencies of {@linkcode HeartbeatTokens}. */
export interface HeartbeatTokensOptions {
  readonly registry: Registry;
  readonly storage: Storage;
  readonly keys: KeyRing;
}

/**
 * Authenticates heartbeats over HTTP. A kite that requested a token when it registered must send it
 * with each heartbeat, since its ID is public and does not prove anything. Every Kontrol with the same
 * key pairs accepts the token, so heartbeats may go to another Kontrol.
 *
 * The token has no issuer and no user (`iss`, `sub`): the caller chose the ID in it, and no kite may
 * mistake it for a token of a user with that name, whatever its `audience` rule.
 *
 * Go kites do not support these tokens. Their heartbeats need only the ID, but must go to the Kontrol
 * where they registered.
 */
export class HeartbeatTokens {
  readonly #options: HeartbeatTokensOptions;
  /** Kites that requested a token here. */
  readonly #guarded = new Set<string>();
  /** The kite IDs of verified tokens. */
  readonly #verified = new SharedCache<string>(CACHE_SIZE, Date.now);

  constructor(options: HeartbeatTokensOptions) {
    this.#options = options;
  }

  /** Signs a token for the heartbeats of a kite. */
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

  /**
   * Accepts a heartbeat.
   *
   * @returns false if the kite must register again
   */
  async accept(id: string, token: string | undefined): Promise<boolean> {
    const { registry, storage } = this.#options;
    if (token === undefined) {
      return !this.#guarded.has(id) && registry.recordHttpHeartbeat(id);
    }
    if (!isUuid(id) || !await this.#isValid(id, token)) return false;
    if (registry.recordHttpHeartbeat(id)) return true;
    // The kite registered at another Kontrol, which may have stopped; this one takes over.
    const [registration] = await storage.get({ id }, { limit: 1 });
    if (registration === undefined || registry.isKeptAlive(id, "connection")) return false;
    await registry.add(registration, "http");
    this.#guarded.add(id);
    return true;
  }

  async #isValid(id: string, token: string): Promise<boolean> {
    try {
      return await this.#verified.obtain(token, () => this.#verify(token)) === id;
    } catch (error) {
      if (isRefusal(error)) return false;
      throw error;
    }
  }

  /** The kite ID of a token; `""` if it was not signed with one of Kontrol's key pairs. */
  async #verify(text: string): Promise<{ value: string; until: number }> {
    const token = parseToken(text, KEY_ALGORITHMS);
    const { iss, sub, aud, jti = "", exp = 0 } = token.claims;
    const hasClaims = iss === undefined && sub === undefined && aud === AUDIENCE;
    checkTimes(token.claims, Date.now(), 0);
    // Deleted pairs are accepted, since the token was valid when it was issued.
    const isValid = hasClaims && await this.#options.keys.hasSigned(token);
    return isValid ? { value: jti, until: exp * 1_000 } : { value: "", until: 0 };
  }

  #prune(): void {
    for (const id of this.#guarded) {
      if (!this.#options.registry.isKeptAlive(id, "http")) this.#guarded.delete(id);
    }
  }
}
