import type { KiteKeyVerifier } from "../src/auth/kite_key_verifier.ts";
import { KiteError } from "../src/protocol/errors.ts";
import type { Budgets } from "./budgets.ts";
import { checkComplete, checkUrl } from "./checks.ts";
import type { Finder } from "./finder.ts";
import type { KeyRing } from "./key_ring.ts";
import type { Metrics } from "./metrics.ts";
import type { Caller, Policy } from "./policy.ts";
import type { Keeper, LifeSign, Registry } from "./registry.ts";
import type { Registration, Storage } from "./storage/storage.ts";
import type { TokenIssuer } from "./tokens.ts";

/** A registration as it was asked for. */
export interface RegistrationRequest {
  readonly caller: Caller;
  /** The `kontrolKey` claim of the caller's verified kite.key. */
  readonly kontrolKey: string;
  /**
   * The key that the caller trusts at present.
   *
   * @default `kontrolKey`
   */
  readonly trustedKey?: string | undefined;
  readonly url: string;
  readonly keeper: Keeper;
  /** That of the connection that keeps the kite known. */
  readonly life?: LifeSign;
}

/** What a registration comes to. */
export interface RegistrationAnswer {
  readonly url: string;
  /** Seconds. */
  readonly heartbeatInterval: number;
  readonly kiteKey?: string;
  readonly publicKey?: string;
  readonly keyHandover?: string;
}

/** What the service works on. */
export interface KontrolServiceOptions {
  readonly storage: Storage;
  readonly registry: Registry;
  readonly keys: KeyRing;
  readonly tokens: TokenIssuer;
  readonly policy: Policy;
  readonly metrics: Metrics;
  readonly verifier: KiteKeyVerifier;
  readonly budgets: Budgets;
  readonly finder: Finder;
  /** Called with each registration that was taken in. */
  readonly onRegistered: (registration: Registration, keeper: Keeper) => void;
  /** Called with the reason for each kite.key that was refused. */
  readonly onRefused: (who: string, reason: KiteError) => void;
}

/** What Kontrol does, whichever way it is asked (docs/kontrol-protocol.md). */
export class KontrolService {
  readonly parts: KontrolServiceOptions;

  constructor(parts: KontrolServiceOptions) {
    this.parts = parts;
  }

  /**
   * Verifies a kite.key.
   *
   * @param who describes the caller, for the log
   * @throws {KiteError} `authenticationError`
   */
  async verify(
    kiteKey: string,
    who: () => string,
  ): Promise<{ username: string; kontrolKey: string }> {
    const { verifier, metrics, onRefused } = this.parts;
    try {
      const { username, claims } = verifier.cached(kiteKey) ?? await verifier.verify(kiteKey);
      return { username, kontrolKey: claims.kontrolKey ?? "" };
    } catch (error) {
      if (error instanceof KiteError && error.type === "authenticationError") {
        metrics.count("refused_authentications");
        onRefused(who(), error);
      }
      throw error;
    }
  }

  /** Registers a kite, or its new URL. */
  async register(request: RegistrationRequest): Promise<RegistrationAnswer> {
    const { budgets, metrics } = this.parts;
    try {
      const { username } = request.caller;
      const answer = await budgets.calls.during(username, () => this.#register(request));
      metrics.count("registrations");
      return answer;
    } catch (error) {
      metrics.count("registration_failures");
      throw error;
    }
  }

  async #register(request: RegistrationRequest): Promise<RegistrationAnswer> {
    const { caller, kontrolKey, keeper, life } = request;
    const { budgets, keys, policy, registry } = this.parts;
    // In Go's words, which differ.
    if (request.url === "") {
      throw new KiteError("argumentError", keeper === "http" ? "empty URL" : "empty url");
    }
    const url = checkUrl(request.url);
    const kite = checkComplete({ ...caller.kite, username: caller.username });
    if (policy.mayRegister !== undefined && !await policy.mayRegister(caller, kite, url)) {
      throw new KiteError("notAllowed", "the policy of this Kontrol refuses the registration");
    }
    const renewed = await keys.renew(kontrolKey, caller.username, request.trustedKey);
    const pair = await keys.pairOf(renewed?.publicKey ?? kontrolKey);
    const registration = { kite, url, keyId: pair.id };
    await budgets.turns.run(
      caller.username,
      () => registry.add(registration, keeper, ...(life === undefined ? [] : [life])),
    );
    this.parts.onRegistered(registration, keeper);
    const heartbeatInterval = Math.max(1, Math.round(registry.liveness.heartbeatInterval / 1000));
    return { url, heartbeatInterval, ...renewed };
  }

  /** The kites that match, as {@linkcode Finder.find} gives them. */
  find(caller: Caller, query: unknown): Promise<string> {
    const { budgets, finder } = this.parts;
    return budgets.calls.during(caller.username, () => finder.find(caller, query));
  }

  /** A token for the one kite that matches. */
  token(caller: Caller, query: unknown, force: boolean): Promise<string> {
    const { budgets, finder } = this.parts;
    return budgets.calls.during(caller.username, () => finder.token(caller, query, force));
  }
}
