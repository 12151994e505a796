import type { KiteKeyVerifier } from "../src/auth/kite_key_verifier.ts";
import { KiteError } from "../src/protocol/errors.ts";
import type { EncodedText } from "../src/transport/encoded_text.ts";
import type { Budgets } from "./budgets.ts";
import { checkComplete, checkUrl } from "./checks.ts";
import type { Finder } from "./finder.ts";
import type { CurrentKey, KeyRing } from "./key_ring.ts";
import type { Metrics } from "./metrics.ts";
import type { Caller, Policy } from "./policy.ts";
import type { HeartbeatChannel, LastHeartbeat, Registry } from "./registry.ts";
import type { Registration, StoredKeyPair } from "./storage/storage.ts";

/** The input of {@linkcode KontrolService.register}. */
export interface RegistrationRequest {
  readonly caller: Caller;
  /** The `kontrolKey` claim of the caller's verified kite.key. */
  readonly kontrolKey: string;
  /**
   * The key that the caller currently trusts.
   *
   * @default `kontrolKey`
   */
  readonly trustedKey?: string | undefined;
  readonly url: string;
  readonly channel: HeartbeatChannel;
  /** The last heartbeat of the connection over which the kite registers. */
  readonly lastHeartbeat?: LastHeartbeat;
}

/** The result of {@linkcode KontrolService.register}. */
export interface RegistrationAnswer {
  readonly url: string;
  /** Seconds. */
  readonly heartbeatInterval: number;
  readonly kiteKey?: string;
  readonly publicKey?: string;
  readonly keyHandover?: string;
}

/** The dependencies of {@linkcode KontrolService}. */
export interface KontrolServiceOptions {
  readonly registry: Registry;
  readonly keys: KeyRing;
  readonly policy: Policy;
  readonly metrics: Metrics;
  readonly verifier: KiteKeyVerifier;
  readonly budgets: Budgets;
  readonly finder: Finder;
  /** Called with each accepted registration. */
  readonly onRegistered: (registration: Registration, channel: HeartbeatChannel) => void;
  /** Called for each rejected kite.key. */
  readonly onRefused: (who: string, reason: KiteError) => void;
}

/** What Kontrol does, independent of the transport (docs/kontrol-protocol.md). */
export class KontrolService {
  readonly #options: KontrolServiceOptions;

  constructor(options: KontrolServiceOptions) {
    this.#options = options;
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
    const { verifier, metrics, onRefused } = this.#options;
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

  /**
   * Registers a kite, or updates its URL.
   *
   * @throws {KiteError} `argumentError`, `notAllowed`, `limitError`, `requestLimitError`,
   * `authenticationError` or `storageError`
   */
  async register(request: RegistrationRequest): Promise<RegistrationAnswer> {
    const { budgets, metrics } = this.#options;
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
    const { caller, kontrolKey, channel, lastHeartbeat } = request;
    const { budgets, keys, onRegistered, policy, registry } = this.#options;
    // The messages of the Go Kontrol, which differ by transport.
    if (request.url === "") {
      throw new KiteError("argumentError", channel === "http" ? "empty URL" : "empty url");
    }
    const url = checkUrl(request.url);
    const kite = checkComplete({ ...caller.kite, username: caller.username });
    if (policy.mayRegister !== undefined && !await policy.mayRegister(caller, kite, url)) {
      const reason = "the policy of this Kontrol does not allow it";
      throw new KiteError("notAllowed", `Cannot register this kite: ${reason}`);
    }
    const renewed = await keys.renew(kontrolKey, caller.username, request.trustedKey);
    const pair = await keys.pairOf(renewed?.publicKey ?? kontrolKey);
    const registration = { kite, url, keyId: pair.id };
    await budgets.scheduler.run(
      caller.username,
      () => registry.add(registration, channel, lastHeartbeat),
    );
    onRegistered(registration, channel);
    const heartbeatInterval = Math.max(1, Math.round(registry.liveness.heartbeatInterval / 1000));
    return { url, heartbeatInterval, ...renewed };
  }

  /** Finds the matching kites, see {@linkcode Finder.find}. */
  find(caller: Caller, query: unknown): Promise<EncodedText> {
    const { budgets, finder } = this.#options;
    return budgets.calls.during(caller.username, () => finder.find(caller, query));
  }

  /** Issues a token for the only matching kite, see {@linkcode Finder.token}. */
  token(caller: Caller, query: unknown, force: boolean): Promise<string> {
    const { budgets, finder } = this.#options;
    return budgets.calls.during(caller.username, () => finder.token(caller, query, force));
  }

  /** Returns the public key that a caller should trust, see {@linkcode KeyRing.currentKey}. */
  currentKey(kontrolKey: string, trustedKey: string | undefined): Promise<CurrentKey> {
    return this.#options.keys.currentKey(kontrolKey, trustedKey);
  }

  /** Signs a kite.key, see {@linkcode KeyRing.signKiteKey}. */
  signKiteKey(username: string, pair: StoredKeyPair | undefined): Promise<string> {
    return this.#options.keys.signKiteKey(username, pair);
  }
}
