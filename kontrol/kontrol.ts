import { KiteKeyVerifier } from "../src/auth/kite_key_verifier.ts";
import { readKiteKeyClaims } from "../src/auth/kite_key.ts";
import { Kite } from "../src/kite.ts";
import type { CloseOptions, KiteOptions } from "../src/kite_options.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { formatIdentity } from "../src/protocol/identity.ts";
import { VERSION } from "../src/protocol/package_version.ts";
import type { Server } from "../src/server.ts";
import { admit, type RegisterMode } from "./admission.ts";
import { type BudgetOptions, Budgets } from "./budgets.ts";
import { CachedKeyPairs } from "./cached_key_pairs.ts";
import { Finder } from "./finder.ts";
import { HeartbeatTokens } from "./heartbeat_tokens.ts";
import { createHttp, HTTP_PATHS } from "./http.ts";
import { KeyRing } from "./key_ring.ts";
import { MeasuredStorage } from "./measured_storage.ts";
import { addMethods, type MachineOptions } from "./methods.ts";
import { Metrics } from "./metrics.ts";
import { choosePolicy, type Policy, type PolicyName } from "./policy.ts";
import type { LivenessOptions } from "./liveness.ts";
import { Registry } from "./registry.ts";
import { KontrolService } from "./service.ts";
import { SparseLog } from "./sparse_log.ts";
import type { Registration, Storage } from "./storage/storage.ts";
import { TokenIssuer, type TokenIssuerOptions } from "./tokens.ts";
import { CallerWatches } from "./caller_watches.ts";

/** The default port of a Kontrol. */
export const DEFAULT_PORT = 4000;

/** What a {@linkcode Kontrol} is made from. */
export interface KontrolOptions extends MachineOptions {
  /** Where registrations and key pairs are kept; closed with the Kontrol. */
  readonly storage: Storage;
  /** Kontrol's own kite.key; one of the key pairs in the storage must have signed it. */
  readonly kiteKey: string;
  /**
   * The version under which Kontrol lists itself.
   *
   * @default the version of this package
   */
  readonly version?: string;
  /**
   * Kontrol's URL as kites reach it, which goes into kite.keys; port 0 in it stands for the port that
   * is listened on.
   *
   * @default that of the kite.key
   */
  readonly kontrolUrl?: string;
  /**
   * Under which URL Kontrol registers itself; `""` for not at all.
   *
   * @default `kontrolUrl`
   */
  readonly registerUrl?: string;
  /** Settings of the kite that Kontrol is: address, port, TLS, environment, logger, limits. */
  readonly kite?: Omit<KiteOptions, "kiteKey" | "kontrolKey" | "kontrolUser" | "verify">;
  /**
   * Who may do what.
   *
   * @default "compatible"
   */
  readonly policy?: PolicyName | Policy;
  /**
   * Who gets a kite.key from `registerMachine`, where `machineAuthenticate` does not decide it.
   *
   * @default "closed"
   */
  readonly register?: RegisterMode;
  /** How long kites are kept. */
  readonly liveness?: LivenessOptions;
  /** How long tokens are good, and how many are remembered. */
  readonly tokens?: Omit<TokenIssuerOptions, "keys" | "issuer" | "queue" | "allowance">;
  /** What one user may use at the same time. */
  readonly budgets?: BudgetOptions;
  /**
   * Kites in one answer, at most.
   *
   * @default 2_000
   */
  readonly maxResults?: number;
  /**
   * Milliseconds after which a change of the key pairs by another Kontrol is noticed.
   *
   * @default 5_000
   */
  readonly keyPairsTimeToLive?: number;
}

/** Milliseconds for which a caller's kite.key counts without another look at the key pairs. */
const VERIFY_TTL = 5_000;

/** How often Kontrol puts itself into the storage, milliseconds. */
const SELF_INTERVAL = 30_000;

/**
 * A Kontrol: the registry and authority of kites.
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
  /** The kite that Kontrol is: add methods and authenticators of your own here. */
  readonly kite: Kite;
  /** The key pairs: add and delete them at any time. */
  readonly keys: KeyRing;
  /** What is counted. */
  readonly metrics: Metrics = new Metrics();
  readonly #storage: Storage;
  readonly #registry: Registry;
  readonly #watchers: CallerWatches;
  readonly #refusals: SparseLog;
  readonly #registerUrl: string | undefined;
  #kontrolUrl: string;
  #selfTimer: ReturnType<typeof setInterval> | undefined;
  #selfLosses: Disposable | undefined;
  #isClosed = false;

  /**
   * A Kontrol that does not listen yet.
   *
   * @throws {KiteError} `configError` that names what is wrong
   */
  constructor(options: KontrolOptions) {
    const { kiteKey } = options;
    const { sub, iss, kontrolURL, kontrolKey } = readKiteKeyClaims(kiteKey);
    const username = iss ?? "";
    if (username === "" || sub === undefined) {
      throw new KiteError("configError", "Kontrol's kite.key names no issuer and no user");
    }
    this.#kontrolUrl = options.kontrolUrl ?? kontrolURL ?? "";
    this.#registerUrl = options.registerUrl;
    // A database that crashed comes back without the registrations it held in memory.
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
      this.kite.log.warning(`${what}: ${error instanceof Error ? error.message : String(error)}`);
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
    this.#refusals = new SparseLog((text) => log.info("{text}", { text }));
    const budgets = new Budgets(options.budgets ?? {}, this.metrics);
    this.#registry = new Registry(this.#storage, options.liveness ?? {}, report, {
      allowance: budgets.registrations,
      onGone: (gone, reason) =>
        log.info("deregistered {kite}: {reason}", { ...about(gone), reason }),
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
    const common = { storage, tokens, policy, metrics: this.metrics, budgets };
    const service = new KontrolService({
      ...common,
      registry: this.#registry,
      keys: this.keys,
      verifier,
      finder: new Finder({
        ...common,
        maxResults: options.maxResults ?? 2_000,
        messageBytes: this.kite.config.limits.messageBytes,
      }),
      onRegistered: (added, keeper) =>
        log.info("registered {kite} at {url}, kept by {keeper}", { ...about(added), keeper }),
      onRefused: (who, { message }) => this.#refusals.say(`refused ${who}: ${message}`),
    });
    this.kite.addAuthenticator("kiteKey", async ({ key }, { kite, client }) => {
      const who = (): string => `${formatIdentity(kite)} at ${client.remoteAddress}`;
      return (await service.verify(key, who)).username;
    });
    this.#watchers = new CallerWatches(
      service,
      (error) => report("a watcher could not be told", error),
    );
    const machines = admit(options, () => storage.invites, username);
    addMethods(this.kite, service, this.#watchers, machines);
    const heartbeats = new HeartbeatTokens({ registry: this.#registry, storage, keys: this.keys });
    const http = createHttp(service, this.#watchers, heartbeats, report);
    for (const path of HTTP_PATHS) {
      this.kite.handleHttp(path, (request) => http.fetch(request));
    }
  }

  /** Kontrol's URL as it goes into kite.keys; complete once it listens. */
  get url(): string {
    return this.#kontrolUrl;
  }

  /**
   * Listens.
   *
   * @throws {KiteError} `configError`: the port is taken, or no key pair fits the kite.key
   */
  async listen(): Promise<Server> {
    await this.keys.own();
    this.#registry.follow();
    const server = await this.kite.listen();
    this.#kontrolUrl = withPort(this.#kontrolUrl, server.port);
    const url = this.#registerUrl ?? this.#kontrolUrl;
    if (url !== "") {
      await this.#registerSelf(url);
      this.#selfTimer = setInterval(() => void this.#registerSelf(url), SELF_INTERVAL);
      this.#selfLosses = this.#storage.onLoss((lost) => {
        if (lost === undefined || lost.kite.id === this.kite.id) void this.#registerSelf(url);
      });
    }
    return server;
  }

  /** Refuses new calls, lets running ones finish, ends every session, and closes the storage. */
  async close(options: CloseOptions = {}): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#selfTimer);
    this.#selfLosses?.[Symbol.dispose]();
    this.#registry[Symbol.dispose]();
    this.#refusals[Symbol.dispose]();
    await this.kite.close(options);
    await this.#storage.delete(this.kite.id, { ifOurs: true }).catch((error: unknown) =>
      this.kite.log.debug(`Kontrol stays listed until it expires: ${error}`)
    );
    await this.#storage[Symbol.asyncDispose]();
  }

  /** Closes, see {@linkcode Kontrol.close}. */
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
      this.kite.log.warning(`Kontrol could not list itself, which is tried again: ${error}`);
    }
  }
}

/** The URL with the port that is listened on, where it left that open. */
function withPort(url: string, port: number): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  if (parsed.port !== "0") return url;
  parsed.port = String(port);
  return parsed.href;
}
