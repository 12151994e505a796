import type { Authentication } from "../rpc/codec.ts";
import type { Client } from "../client.ts";
import type { DiallingClient } from "../dialling_client.ts";
import { createApi } from "../rpc/api.ts";
import type { Contract } from "../rpc/contract_types.ts";
import type { TellOptions } from "../rpc/remote.ts";
import { KiteError } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";
import { Timer } from "../runtime/timer.ts";
import { WaitingCalls } from "../waiting_calls.ts";
import { type KontrolQuery, readQuery } from "../protocol/query.ts";
import type { TrustUpdate } from "../auth/trust.ts";
import { isKiteUrl } from "../transport/url.ts";
import { type FoundKite, isNotFound, notFound, readGetKitesResult } from "./found_kites.ts";
import { type DiscoveryHost, type KontrolConnection, noKontrol } from "./discovery_host.ts";
import { HttpRegistration } from "./http_registration.ts";
import { Proxies } from "./proxies.ts";
import { KeptRegistration } from "./kept_registration.ts";
import { explainRefusedKey } from "./refused_key.ts";
import { readRegisterResult, type RegisterResult, trustUpdateOf } from "./register_result.ts";
import { createRenewingClient } from "./renewing_client.ts";
import type {
  GetTokenOptions,
  TypedClient,
  TypedKiteEvent,
  WaitOptions,
  WithContract,
} from "./options.ts";
import { type KiteEvent, type KiteWatch, KontrolWatch } from "./watch.ts";

/** Maximum delay between two attempts to reach Kontrol, milliseconds. */
const LONGEST_REDIAL = 3_000;

/** Timeout of a request for Kontrol's key while a caller waits for it, milliseconds. */
const KEY_TIMEOUT = 5_000;

/** Minimum interval of a key renewer, milliseconds. */
const SHORTEST_INTERVAL = 100;

/** A kite's connection to its Kontrol. It is dialled on first use and then kept open. */
export class KontrolClient implements KontrolConnection {
  /** The registrations at proxies. */
  readonly proxies: Proxies;
  readonly #host: DiscoveryHost;
  #client: DiallingClient | undefined;
  #kept: KeptRegistration | undefined;
  #http: HttpRegistration | undefined;
  readonly #watches = new Set<KiteWatch<unknown>>();
  readonly #readies = new Set<WaitingCalls>();
  readonly #renewers = new Set<() => void>();
  /** The last key that was not trusted, so that each one is reported once. */
  #refusedKey: string | undefined;

  constructor(host: DiscoveryHost) {
    this.#host = host;
    this.proxies = new Proxies(host, this);
    host.trust.source = () => this.getKey({ timeout: KEY_TIMEOUT });
  }

  /**
   * The connection to Kontrol.
   *
   * @throws {KiteError} `configError` if no Kontrol is configured
   */
  get client(): DiallingClient {
    if (this.#client !== undefined) return this.#client;
    const { kontrolUrls } = this.#host;
    if (kontrolUrls.length === 0) throw noKontrol();
    const authentication = this.#credentials();
    const client = this.#host.newClient(kontrolUrls, {
      ...(authentication === undefined ? {} : { authentication }),
      whileDown: "try",
      reconnect: { maxDelay: LONGEST_REDIAL },
      concurrentCallbacks: false,
    });
    this.#client = client;
    // Reported once per outage, not for every attempt.
    client.onDialError(({ error, attempt }) => {
      if (attempt === 1) this.#host.report("Cannot reach Kontrol, trying again", error);
    });
    client.dialForever().catch((error: unknown) => {
      if (client.state !== "closed") this.#host.report("Stopped dialling Kontrol", error);
    });
    return client;
  }

  /**
   * Resolves when Kontrol is connected. Unlike a call, it also waits if Kontrol cannot be reached yet.
   *
   * @throws {KiteError} `timeout`, `aborted`
   */
  async ready({ timeout = this.#host.timeout, signal }: WaitOptions = {}): Promise<void> {
    const { client } = this;
    if (client.state === "open") return;
    const ready = new WaitingCalls(1, () => client.whyNotConnected());
    const releases = [
      client.onConnect(() => ready.resolveAll()),
      client.onGiveUp(() => ready.rejectAll()),
    ];
    this.#readies.add(ready);
    try {
      await ready.wait("kite.ping", timeout, signal);
    } finally {
      this.#readies.delete(ready);
      for (const release of releases) release();
    }
  }

  /** Calls a method of Kontrol. */
  tell(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  tell<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
  async tell(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown> {
    const { client } = this;
    try {
      return await client.tellWith(options, method, ...args);
    } catch (error) {
      throw explainRefusedKey(error, client.url, this.#host.trust.kiteKey);
    }
  }

  /** Registers once, and adopts new keys from Kontrol. */
  async registerOnce(url: string): Promise<RegisterResult> {
    checkUrl(url);
    const { kontrolKey } = this.#host.trust;
    const argument = { url, ...(kontrolKey === undefined ? {} : { handoverFrom: kontrolKey }) };
    return await this.#adopt(readRegisterResult(await this.tell({}, "register", argument)));
  }

  /** Registers now and after every reconnection. Resolves after the first registration. */
  async register(url: string): Promise<RegisterResult> {
    checkUrl(url);
    this.#kept?.stop();
    this.#kept = new KeptRegistration(
      this.client,
      () => this.registerOnce(url),
      (error) => this.#host.report("Cannot register at Kontrol, trying again", error),
    );
    return await this.#kept.first;
  }

  /** Registers over HTTP and sends heartbeats. Resolves after the first registration. */
  async registerHttp(url: string): Promise<RegisterResult> {
    checkUrl(url);
    this.#http?.stop();
    this.#http = new HttpRegistration(this.#host, url, (result) => this.#adopt(result));
    return await this.#http.first;
  }

  /**
   * Returns clients of the matching kites. They are not connected yet, and renew their tokens.
   *
   * @throws {KiteError} `genericError` with the code `kitesNotFound` if no kite matches
   */
  async getKites(query: KontrolQuery, options: WaitOptions = {}): Promise<Client[]> {
    return (await this.#findKites(query, options)).map((found) => this.#clientFor(found));
  }

  /** Returns clients together with the typed functions of a contract. */
  async getTypedKites<C extends Contract>(
    query: KontrolQuery,
    { contract, ...options }: WaitOptions & WithContract<C>,
  ): Promise<TypedClient<C>[]> {
    const clients = await this.getKites(query, options);
    return clients.map((client) => ({ client, api: createApi(client, contract) }));
  }

  /** Returns the matching kites in random order, each with a token. */
  async #findKites(query: KontrolQuery, options: WaitOptions): Promise<readonly FoundKite[]> {
    const argument = { query: readQuery(query), watchCallback: null, who: null };
    const { kites } = readGetKitesResult(await this.tell(options, "getKites", argument));
    // Go's misspelling, which peers match on.
    if (kites.length === 0) throw notFound("no kites availabile");
    return kites;
  }

  /** Creates a client for a found kite. The client renews its token. */
  #clientFor(found: FoundKite): Client {
    return createRenewingClient(found, {
      newClient: (url, options, hooks) => this.#host.newClient(url, options, hooks),
      getToken: (query) => this.getToken(query, { force: true }),
      findKites: (query) => this.#findKites(query, {}),
      report: (what, error) => this.#host.report(what, error),
    });
  }

  /** Returns a token for the one kite that matches. */
  async getToken(
    query: KontrolQuery,
    { force = false, ...options }: GetTokenOptions = {},
  ): Promise<string> {
    const argument = force ? { ...readQuery(query), force } : readQuery(query);
    let token: unknown;
    try {
      token = await this.tell(options, "getToken", argument);
    } catch (error) {
      throw isNotFound(error) ? notFound(error.message, error) : error;
    }
    if (typeof token === "string" && token !== "") return token;
    throw new KiteError("invalidResponse", "Cannot read the answer to getToken: must be a token");
  }

  /**
   * Requests Kontrol's current public key, and adopts it if the trusted key has signed a handover to
   * it (docs/kontrol-protocol.md §6). After a change, a registered kite registers again to get a new
   * kite.key.
   *
   * @throws {KiteError} `authenticationError` if the key cannot be verified
   */
  async getKey(options: TellOptions = {}): Promise<string> {
    const { trust } = this.#host;
    const argument = { handoverFrom: trust.kontrolKey ?? "" };
    const { publicKey, keyHandover } = readKeyAnswer(await this.tell(options, "getKey", argument));
    if (await this.#trusting(publicKey, { kontrolKey: publicKey, keyHandover })) {
      this.#kept?.again();
      this.#http?.again();
    }
    return publicKey;
  }

  /**
   * Requests Kontrol's key at intervals, so that a new key is adopted before a call fails.
   *
   * @param interval Milliseconds between two requests, at least 100.
   * @returns A function that stops the renewer. Closing the kite stops it, too.
   */
  keyRenewer(interval: number): () => void {
    if (!(typeof interval === "number" && interval >= SHORTEST_INTERVAL)) {
      const rule = `must be a number of milliseconds, at least ${SHORTEST_INTERVAL}`;
      throw cannotUse("interval", rule, { value: interval });
    }
    let timer: Timer;
    const stop = (): void => {
      timer.clear();
      this.#renewers.delete(stop);
    };
    const arm = (): void => {
      timer = new Timer(() => {
        arm();
        this.getKey().catch((error: unknown) =>
          this.#host.report("Cannot renew the key of Kontrol, trying again", error)
        );
      }, interval);
    };
    arm();
    this.#renewers.add(stop);
    return stop;
  }

  /** Follows the matching kites: first the registered ones, then every change. */
  watchKites(query: KontrolQuery): KiteWatch {
    return this.#watch(query, (event) => event);
  }

  /** Follows the matching kites, and adds the typed functions of a contract to the events. */
  watchTypedKites<C extends Contract>(
    query: KontrolQuery,
    { contract }: WithContract<C>,
  ): KiteWatch<TypedKiteEvent<C>> {
    return this.#watch(query, (event): TypedKiteEvent<C> => {
      const { action } = event;
      if (action === "DEREGISTER") return { ...event, action };
      const client = this.#clientFor(event);
      return { ...event, action, client, api: createApi(client, contract) };
    });
  }

  #watch<Event>(query: KontrolQuery, present: (event: KiteEvent) => Event): KiteWatch<Event> {
    const watch: KiteWatch<Event> = new KontrolWatch(
      this,
      readQuery(query),
      present,
      () => this.#watches.delete(watch),
    );
    this.#watches.add(watch);
    return watch;
  }

  /** Stops everything except the kite's clients, which the kite closes. */
  close(): void {
    this.#host.trust.source = undefined;
    this.proxies.close();
    this.#kept?.stop();
    this.#http?.stop();
    for (const stop of this.#renewers) stop();
    for (const watch of this.#watches) void watch.close();
    void this.#client?.close();
    for (const ready of this.#readies) ready.rejectAll();
  }

  /** Completes a registration, which is valid even if its keys cannot be trusted. */
  async #adopt(result: RegisterResult): Promise<RegisterResult> {
    const key = result.publicKey ?? result.kiteKey ?? "";
    await this.#trusting(key, trustUpdateOf(result)).catch(() => {}); // reported
    this.#host.registered(result.url);
    return result;
  }

  /** Adopts keys, and reports those that cannot be trusted. */
  async #trusting(key: string, update: TrustUpdate): Promise<boolean> {
    try {
      return await this.#host.trust.adopt(update);
    } catch (error) {
      if (key !== this.#refusedKey) this.#host.report("Kontrol offered another key", error);
      this.#refusedKey = key;
      throw error;
    }
  }

  #credentials(): Authentication | undefined {
    const { kiteKey } = this.#host.trust;
    return kiteKey === undefined ? undefined : { type: "kiteKey", key: kiteKey };
  }
}

/** Reads the answer to `getKey`: a key, or a key with its handover. */
function readKeyAnswer(answer: unknown): { publicKey: string; keyHandover: string | undefined } {
  const { publicKey, keyHandover } = typeof answer === "string"
    ? { publicKey: answer, keyHandover: undefined }
    : (answer ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof publicKey !== "string" || publicKey.trim() === "") {
    throw new KiteError("invalidResponse", "Cannot read the answer to getKey: it holds no key");
  }
  return { publicKey, keyHandover: typeof keyHandover === "string" ? keyHandover : undefined };
}

function checkUrl(url: string): void {
  if (isKiteUrl(url)) return;
  const rule = "must be a URL that others can dial, such as http://host:3636/kite";
  throw cannotUse("url", rule, { value: url, type: "argumentError" });
}
