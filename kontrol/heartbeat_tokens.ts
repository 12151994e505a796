import { TokenVerifier } from "../src/auth/token.ts";
import { signToken } from "../src/auth/jwt.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { isUuid } from "../src/protocol/identity.ts";
import type { KeyRing } from "./keypairs.ts";
import type { Registry } from "./registry.ts";
import type { Storage } from "./storage/storage.ts";

/** The audience of these tokens: no kite answers to it. */
const AUDIENCE = "kontrol:heartbeat";

/** Seconds that a token is good: far longer than a kite goes without registering anew. */
const LIFETIME = 30 * 24 * 3600;

/** Seconds by which the clocks of two Kontrols may differ. */
const LEEWAY = 300;

/** What heartbeats need to know. */
export interface HeartbeatTokensOptions {
  readonly registry: Registry;
  readonly storage: Storage;
  readonly keys: KeyRing;
  /** Kontrol's username. */
  readonly issuer: string;
}

/**
 * Heartbeats over HTTP. A kite that asked for a token when it registered must show it with each
 * heartbeat: knowing its id, which every query tells, is not enough to keep it alive. Any Kontrol
 * that shares the key pairs takes the token, so that a heartbeat may go to another one.
 *
 * Go kites know no token: for them the id has to do, at the Kontrol where they registered.
 */
export class HeartbeatTokens {
  readonly #options: HeartbeatTokensOptions;
  /** Kites that registered here and asked for a token. */
  readonly #guarded = new Set<string>();
  readonly #verifier: TokenVerifier;
  #trusted: readonly string[] = [];

  constructor(options: HeartbeatTokensOptions) {
    this.#options = options;
    this.#verifier = new TokenVerifier({
      trustedKeys: () => this.#trusted,
      kontrolUser: () => options.issuer,
      identity: () => ({ username: "", environment: "", name: "" }),
      audience: (_own, audience) => audience === AUDIENCE,
    });
  }

  /** A token for the heartbeats of a kite. */
  async issue(id: string): Promise<string> {
    const { keys, issuer } = this.#options;
    const own = await keys.own();
    const now = Math.floor(Date.now() / 1000);
    if (this.#guarded.size > 2 * this.#options.registry.size + 1_000) this.#prune();
    this.#guarded.add(id);
    return await signToken(
      { iss: issuer, sub: id, aud: AUDIENCE, iat: now - LEEWAY, exp: now + LIFETIME },
      await keys.privateKey(own),
      { keyId: own.id },
    );
  }

  /** @returns false when the kite has to register again */
  async heard(id: string, token: string | undefined): Promise<boolean> {
    const { registry, storage } = this.#options;
    if (token === undefined) {
      return !this.#guarded.has(id) && registry.heard(id, "http");
    }
    if (!isUuid(id) || !await this.#isGood(id, token)) return false;
    if (registry.heard(id, "http")) return true;
    // Registered at another Kontrol, which may be gone: from now on it is kept here.
    const [registration] = await storage.get({ id }, { limit: 1 });
    if (registration === undefined || registry.isKept(id, "connection")) return false;
    await registry.add(registration, "http");
    this.#guarded.add(id);
    return true;
  }

  async #isGood(id: string, token: string): Promise<boolean> {
    try {
      // Deleted pairs count too: the token was good when it was handed out.
      this.#trusted = (await this.#options.keys.keyPairs.list()).map((pair) => pair.public);
      const verified = this.#verifier.cached(token) ?? await this.#verifier.verify(token);
      return verified.username === id;
    } catch (error) {
      if (error instanceof KiteError && error.type === "authenticationError") return false;
      throw error;
    }
  }

  #prune(): void {
    for (const id of this.#guarded) {
      if (!this.#options.registry.isKept(id, "http")) this.#guarded.delete(id);
    }
  }
}
