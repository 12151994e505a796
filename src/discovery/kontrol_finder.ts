import type { Client } from "../client.ts";
import type { DiallingClient } from "../dialling_client.ts";
import { KiteError } from "../protocol/errors.ts";
import { type KontrolQuery, readQueryFields } from "../protocol/query.ts";
import { createApi } from "../rpc/api.ts";
import type { Contract } from "../rpc/contract_types.ts";
import type { TellOptions } from "../rpc/remote.ts";
import { WaitingCalls } from "../waiting_calls.ts";
import { type FinderHost, type KontrolConnection, noKontrol } from "./discovery_host.ts";
import { type FoundKite, isNotFound, notFound, readGetKitesResult } from "./found_kites.ts";
import type {
  GetTokenOptions,
  TypedClient,
  TypedKiteEvent,
  WaitOptions,
  WithContract,
} from "./options.ts";
import { createRenewingClient } from "./renewing_client.ts";
import { type KiteEvent, type KiteWatch, KontrolWatch } from "./watch.ts";

/** Maximum delay between two attempts to reach Kontrol, milliseconds. */
const LONGEST_REDIAL = 3_000;

/** The connection to Kontrol, for finding kites. It is dialled on first use and then kept open. */
export class KontrolFinder implements KontrolConnection {
  readonly #host: FinderHost;
  #client: DiallingClient | undefined;
  readonly #watches = new Set<KiteWatch<unknown>>();
  readonly #readies = new Set<WaitingCalls>();

  constructor(host: FinderHost) {
    this.#host = host;
  }

  /**
   * The connection to Kontrol.
   *
   * @throws {KiteError} `configError` if no Kontrol is configured
   */
  get client(): DiallingClient {
    if (this.#client !== undefined) return this.#client;
    const { kontrolUrls } = this.#host;
    if (kontrolUrls.length === 0) throw noKontrol(this.#host);
    const authentication = this.#host.credentials();
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
    return await this.client.tellWith(options, method, ...args);
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
    const argument = { query: readQueryFields(query), watchCallback: null, who: null };
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
    const argument = force ? { ...readQueryFields(query), force } : readQueryFields(query);
    let token: unknown;
    try {
      token = await this.tell(options, "getToken", argument);
    } catch (error) {
      throw isNotFound(error) ? notFound(error.message, error) : error;
    }
    if (typeof token === "string" && token !== "") return token;
    throw new KiteError("invalidResponse", "Cannot read the answer to getToken: must be a token");
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
      readQueryFields(query),
      present,
      () => this.#watches.delete(watch),
    );
    this.#watches.add(watch);
    return watch;
  }

  /** Stops everything. The kite closes its clients itself. */
  close(): void {
    for (const watch of this.#watches) void watch.close();
    void this.#client?.close();
    for (const ready of this.#readies) ready.rejectAll();
  }
}
