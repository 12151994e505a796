import { KiteKeyVerifier } from "../src/auth/kite_key_verifier.ts";
import { readKiteKeyClaims } from "../src/auth/kite_key.ts";
import { Kite } from "../src/kite.ts";
import type { CloseOptions } from "../src/kite_options.ts";
import { Lifecycle } from "../src/lifecycle.ts";
import { LimitedLog } from "../src/limited_log.ts";
import { KiteError, messageOf } from "../src/protocol/errors.ts";
import { formatIdentity } from "../src/protocol/identity.ts";
import { VERSION } from "../src/protocol/package_version.ts";
import type { Server } from "../src/server.ts";
import { admit } from "./admission.ts";
import { Budgets } from "./budgets.ts";
import { CachedKeyPairs } from "./cached_key_pairs.ts";
import { Finder } from "./finder.ts";
import { HeartbeatTokens } from "./heartbeat_tokens.ts";
import { createHttp, HTTP_PATHS } from "./http.ts";
import { KeyRing } from "./key_ring.ts";
import { MeasuredStorage } from "./measured_storage.ts";
import { addMethods } from "./methods.ts";
import { Metrics } from "./metrics.ts";
import { checkKontrolOptions, type KontrolOptions } from "./options.ts";
import { choosePolicy } from "./policy.ts";
import { Registry } from "./registry.ts";
import { KontrolService } from "./service.ts";

import type { Registration, Storage } from "./storage/storage.ts";
import { TokenIssuer } from "./tokens.ts";
import { CallerWatches } from "./caller_watches.ts";

/** The default port of a Kontrol. */
export const DEFAULT_PORT = 4000;

/** Milliseconds for which a verified kite.key is accepted without checking the key pairs again. */
const VERIFY_TTL = 5_000;

/** Milliseconds between two refreshes of Kontrol's own registration. */
const SELF_INTERVAL = 30_000;

/**
 * A Kontrol: the registry of kites, which issues their keys and tokens.
 *
 * @example A Kontrol for tests, in memory
 * ```ts
 * import { startTestKontrol } from "@kite/kite/testing";
 *
 * await using kontrol = await startTestKontrol();
 * console.assert(kontrol.url.endsWith("/kite"));
 * ```
 */
export class Kontrol implements AsyncDisposable {
  /** Kontrol's kite, to which you can add methods and authenticators. */
  readonly kite: Kite;
  /** The key pairs, which you can add and delete at any time. */
  readonly keys: KeyRing;
  /** The counters. */
  readonly metrics: Metrics = new Metrics();
  readonly #storage: Storage;
  readonly #registry: Registry;
  readonly #limitedLog: LimitedLog;
  readonly #lifecycle = new Lifecycle();
  readonly #registerUrl: string | undefined;
  #kontrolUrl: string;
  #selfTimer: ReturnType<typeof setInterval> | undefined;
  #selfLossListener: Disposable | undefined;
  #isClosed = false;

  /**
   * Creates a Kontrol that does not listen yet.
   *
   * @throws {KiteError} `configError` that names the invalid option
   */
  constructor(options: KontrolOptions) {
    checkKontrolOptions(options);
    const { kiteKey } = options;
    const { sub, iss, kontrolURL, kontrolKey } = readKiteKeyClaims(kiteKey);
    const username = iss ?? "";
    if (username === "" || sub === undefined) {
      const reason = "it must name an issuer and a user";
      throw new KiteError("configError", `Cannot use Kontrol's kite.key: ${reason}`);
    }
    this.#kontrolUrl = options.kontrolUrl ?? kontrolURL ?? "";
    this.#registerUrl = options.registerUrl;
    // After a crash, a database may have lost the registrations that it held in memory.
    this.#storage = new MeasuredStorage(
      options.storage,
      this.metrics,
      () => this.#registry.recheck(),
    );
    this.kite = new Kite("kontrol", options.version ?? VERSION, {
      port: DEFAULT_PORT,
      ...options.kite,
      username,
      kiteKey,
      kontrolUser: username,
      ...(kontrolKey === undefined ? {} : { kontrolKey }),
    });
    const report = (what: string, error: unknown): void =>
      this.kite.log.warning(`${what}: ${messageOf(error)}`);
    this.keys = new KeyRing({
      keyPairs: new CachedKeyPairs(this.#storage.keyPairs, {
        timeToLive: options.keyPairsTimeToLive ?? 5_000,
      }),
      kiteKey: () => kiteKey,
      kontrolUser: () => username,
      kontrolUrl: () => this.#kontrolUrl,
    });
    const verifier = new KiteKeyVerifier({
      trustedKeys: () => [],
      verify: (key) => this.keys.trusts(key),
      verifyTtl: VERIFY_TTL,
    });
    const { log } = this.kite;
    const about = ({ kite, url }: Registration): Record<string, unknown> => {
      return { kite: formatIdentity(kite), url };
    };
    this.#limitedLog = new LimitedLog(log);
    const budgets = new Budgets(options.budgets ?? {}, this.metrics);
    this.#registry = new Registry(this.#storage, options.liveness ?? {}, report, {
      allowance: budgets.registrations,
      onRemoved: (removed, reason) =>
        log.info("deregistered {kite}: {reason}", { ...about(removed), reason }),
    });
    const tokens = new TokenIssuer({
      ...options.tokens,
      keys: this.keys,
      issuer: () => username,
      queue: budgets.signing,
      allowance: budgets.signatures,
    });
    const policy = choosePolicy(options.policy ?? "compatible");
    const storage = this.#storage;
    const { keys, metrics } = this;
    const registry = this.#registry;
    const finder = new Finder({
      storage,
      tokens,
      policy,
      metrics,
      budgets,
      maxResults: options.maxResults ?? 2_000,
      messageBytes: this.kite.config.limits.messageBytes,
    });
    const service = new KontrolService({
      registry,
      keys,
      policy,
      metrics,
      verifier,
      budgets,
      finder,
      onRegistered: (added, channel) => {
        const details = { ...about(added), channel };
        log.info("registered {kite} at {url}, heartbeats over {channel}", details);
      },
      onRefused: (who, { message: reason }) => {
        this.#limitedLog.write("info", "refused kite.keys", "refused {who}: {reason}", {
          who,
          reason,
        });
      },
    });
    this.kite.addAuthenticator("kiteKey", async ({ key }, { kite, client }) => {
      const who = (): string => `${formatIdentity(kite)} at ${client.remoteAddress}`;
      return (await service.verify(key, who)).username;
    });
    const watches = new CallerWatches({
      storage,
      policy,
      budgets,
      finder,
      metrics,
      onError: (error) => report("Cannot deliver a change to a watch", error),
    });
    const machines = admit(options, () => storage.invites, username);
    const { scheduler } = budgets;
    addMethods(this.kite, { ...machines, service, registry, metrics, watches, scheduler });
    const heartbeats = new HeartbeatTokens({ registry, storage, keys });
    const http = createHttp({
      service,
      storage,
      registry,
      keys,
      metrics,
      tokens,
      budgets,
      watches,
      heartbeats,
      onError: report,
    });
    for (const path of HTTP_PATHS) {
      this.kite.handleHttp(path, (request) => http.fetch(request));
    }
  }

  /** Kontrol's URL in kite.keys. Its port is final once Kontrol listens. */
  get url(): string {
    return this.#kontrolUrl;
  }

  /**
   * Starts to listen.
   *
   * @throws {KiteError} `configError`: the port is in use, or no key pair verifies the kite.key
   */
  listen(): Promise<Server> {
    return this.#lifecycle.start(() => this.#listen());
  }

  async #listen(): Promise<Server> {
    if (this.#isClosed) throw new KiteError("aborted", "Cannot listen: Kontrol is closed");
    await this.keys.own();
    this.#registry.follow();
    const server = await this.kite.listen();
    this.#kontrolUrl = withPort(this.#kontrolUrl, server.port);
    const url = this.#registerUrl ?? this.#kontrolUrl;
    if (url !== "") {
      await this.#registerSelf(url);
      this.#selfTimer = setInterval(() => void this.#registerSelf(url), SELF_INTERVAL);
      this.#selfLossListener = this.#storage.onLoss((lost) => {
        if (lost === undefined || lost.kite.id === this.kite.id) void this.#registerSelf(url);
      });
    }
    return server;
  }

  /** Rejects new calls, waits for running ones, ends all sessions, and closes the storage. */
  async close(options: CloseOptions = {}): Promise<void> {
    await this.#lifecycle.stop(() => this.#close(options));
  }

  async #close(options: CloseOptions): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#selfTimer);
    this.#selfLossListener?.[Symbol.dispose]();
    this.#registry[Symbol.dispose]();
    this.#limitedLog.flush();
    await this.kite.close(options);
    await this.#storage.delete(this.kite.id, { ifOurs: true }).catch((error: unknown) =>
      this.kite.log.debug(`Cannot remove Kontrol's registration, which will expire: ${error}`)
    );
    await this.#storage[Symbol.asyncDispose]();
  }

  /** See {@linkcode Kontrol.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #registerSelf(url: string): Promise<void> {
    try {
      const { id } = await this.keys.own();
      await this.#storage.upsert({
        kite: this.kite.identity,
        url,
        keyId: id,
      });
    } catch (error) {
      this.kite.log.warning(`Cannot register Kontrol itself, will retry: ${messageOf(error)}`);
    }
  }
}

/** Replaces port 0 of a URL. */
function withPort(url: string, port: number): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  if (parsed.port !== "0") return url;
  parsed.port = String(port);
  return parsed.href;
}
