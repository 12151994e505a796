import { CallingCore } from "../calling_core.ts";
import type { Client } from "../client.ts";
import type { Implementation } from "../contract/contract.ts";
import type { ImplementOptions } from "../contract/handler.ts";
import { implementContract, type ImplementedMethods } from "../contract/implement.ts";
import { KontrolFinder } from "../discovery/kontrol_finder.ts";
import type {
  GetTokenOptions,
  TypedClient,
  TypedKiteEvent,
  WaitOptions,
  WithContract,
} from "../discovery/options.ts";
import type { KiteWatch } from "../discovery/watch.ts";
import type { Logger } from "../log.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import { DEFAULT_LIMITS } from "../protocol/limits.ts";
import type { KontrolQuery } from "../protocol/query.ts";
import { randomUuid } from "../protocol/random.ts";
import type { Contract } from "../rpc/contract_types.ts";
import type { FinalHandler, Handler, Method } from "../rpc/method.ts";
import type { TellOptions } from "../rpc/remote.ts";
import { dialNativeSession } from "../transport/dial_native.ts";
import { ConsoleLogger } from "./console_logger.ts";
import { PageLog } from "./page_log.ts";
import {
  checkPageClientOptions,
  checkPageOptions,
  type KiteOptions,
  type PageClientOptions,
} from "./options.ts";

/**
 * A kite in a web page: it calls methods of other kites, which call its methods back over the same
 * connection. It does not listen.
 *
 * @example
 * ```ts ignore
 * import { Kite } from "@kite/kite/client";
 *
 * const page = new Kite("page", "1.0.0");
 * page.handle("alert", ({ args }) => alert(args.one().string()));
 * const math = page.newClient("http://localhost:3636/kite");
 * await math.dialForever();
 * console.log(await math.tell("square", 4)); // 16
 * ```
 */
export class Kite implements AsyncDisposable {
  /** The logger of the kite. */
  readonly log: Logger;
  readonly #core: CallingCore;
  readonly #options: ReturnType<typeof checkPageOptions>;
  #kontrol: KontrolFinder | undefined;

  /**
   * Creates a kite. It does not connect yet.
   *
   * @param name the name that remotes see
   * @param version three numbers, such as "1.0.0"
   * @throws {KiteError} `configError` for a name, version or option that cannot be used
   */
  constructor(name: string, version: string, options: KiteOptions = {}) {
    const own = checkPageOptions(options);
    const { username = "unknown", environment = "unknown", region = "unknown" } = own;
    const { transport = "auto", handshakeTimeout = 10_000, logLevel = "INFO" } = own;
    const id = own.id ?? randomUuid();
    this.#options = own;
    this.log = own.logger ?? new ConsoleLogger(name, logLevel);
    this.#core = new CallingCore({
      identity: { username, environment, name, version, region, hostname: "browser", id },
      log: this.log,
      eventLog: new PageLog(this.log, logLevel === "DEBUG"),
      // The page has chosen whom it dials.
      methods: { handling: "method", authenticates: false, authenticators: undefined },
      limits: { ...DEFAULT_LIMITS, ...own.limits },
      timeout: own.timeout ?? 15_000,
      clientDefaults: { transport, handshakeTimeout, ca: [] },
      dialSession: dialNativeSession,
      checkClientOptions: checkPageClientOptions,
      compact: true,
      newCompactCodec: own.compact?.newCodec,
    });
    this.handle("kite.ping", () => "pong");
    this.handle("kite.echo", ({ args }) => args.values[0] ?? null);
  }

  /** The identity that the kite sends with every call. */
  get identity(): KiteIdentity {
    return this.#core.identity;
  }

  /** The kite's id, a UUID. Unless the option `id` is set, each page has a new one. */
  get id(): string {
    return this.#core.identity.id;
  }

  /**
   * Adds a method, which the remotes that this page dials can call. It replaces a method of the same
   * name.
   *
   * @returns the method, to set its hooks and throttling
   * @throws {KiteError} `configError` for a name or handler that cannot be used
   */
  handle(name: string, handler: Handler): Method {
    return this.#core.methods.handle(name, handler);
  }

  /**
   * Removes a method.
   *
   * @returns whether there was one
   */
  unhandle(name: string): boolean {
    return this.#core.methods.unhandle(name);
  }

  /**
   * Adds every method of a contract.
   *
   * @param implementation a function for each method
   * @returns the methods, to set their hooks and throttling
   * @throws {KiteError} `configError` if a function is missing or is not in the contract
   */
  implement<C extends Contract>(
    contract: C,
    implementation: Implementation<C>,
    options: ImplementOptions = {},
  ): ImplementedMethods<C> {
    return implementContract(this.#core.methods, contract, implementation, options);
  }

  /** Adds a hook that runs before the handler of every method. */
  preHandle(handler: Handler): this {
    this.#core.methods.hooks.add("pre", handler);
    return this;
  }

  /** Adds a hook that runs after the handler of every method, unless there was an error. */
  postHandle(handler: Handler): this {
    this.#core.methods.hooks.add("post", handler);
    return this;
  }

  /** Adds a hook that runs last for every method, also after an error. */
  finalFunc(handler: FinalHandler): this {
    this.#core.methods.hooks.add("final", handler);
    return this;
  }

  /**
   * Creates a client of a remote kite. It is not connected yet.
   *
   * @param url such as "http://localhost:3636/kite". If there are several, the next one is used after
   * each failure.
   * @throws {KiteError} `configError` for an option that cannot be used
   */
  newClient(url: string | URL | readonly string[], options: PageClientOptions = {}): Client {
    return this.#core.newClient(url, options);
  }

  /**
   * The connection to Kontrol, which is dialled on first use.
   *
   * @throws {KiteError} `configError` without the option `kontrolUrl`
   */
  get kontrol(): Client {
    return this.#finder().client;
  }

  /**
   * Waits for the connection to Kontrol.
   *
   * @throws {KiteError} `timeout`, `aborted`; `configError` without the option `kontrolUrl`
   */
  async kontrolReady(options: WaitOptions = {}): Promise<void> {
    await this.#finder().ready(options);
  }

  /** Calls a method of Kontrol, see {@linkcode RemoteKite.tell}. */
  tellKontrol(method: string, ...args: unknown[]): Promise<unknown>;
  /** Calls a method of Kontrol, and asserts the type of the result. The type is not checked. */
  tellKontrol<Result>(method: string, ...args: unknown[]): Promise<Result>;
  async tellKontrol(method: string, ...args: unknown[]): Promise<unknown> {
    return await this.#finder().tell({}, method, ...args);
  }

  /** Calls a method of Kontrol with options. */
  tellKontrolWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  /** Calls a method of Kontrol with options, and asserts the type of the result. */
  tellKontrolWith<R>(options: TellOptions, method: string, ...args: unknown[]): Promise<R>;
  async tellKontrolWith(
    options: TellOptions,
    method: string,
    ...args: unknown[]
  ): Promise<unknown> {
    return await this.#finder().tell(options, method, ...args);
  }

  /**
   * Finds kites. Returns a client of each, which is not connected yet and renews its token.
   *
   * @param query at least one field of an identity. `version` can be a constraint such as ">= 1.2".
   * @throws {KiteError} `genericError` with the code `kitesNotFound` if no kite matches
   */
  getKites(query: KontrolQuery, options?: WaitOptions): Promise<Client[]>;
  /** Finds kites that implement a contract. Returns a client of each and its typed functions. */
  getKites<C extends Contract>(
    query: KontrolQuery,
    options: WaitOptions & WithContract<C>,
  ): Promise<TypedClient<C>[]>;
  async getKites(
    query: KontrolQuery,
    options: WaitOptions & Partial<WithContract<Contract>> = {},
  ): Promise<Client[] | TypedClient<Contract>[]> {
    const { contract, ...waitOptions } = options;
    return contract === undefined
      ? await this.#finder().getKites(query, waitOptions)
      : await this.#finder().getTypedKites(query, { ...waitOptions, contract });
  }

  /**
   * Follows the kites that match a query: a `REGISTER` for each that is registered, then every change.
   *
   * @param query see {@linkcode Kite.getKites}
   */
  watchKites(query: KontrolQuery): KiteWatch;
  /** Follows kites that implement a contract. A `REGISTER` has a client and its typed functions. */
  watchKites<C extends Contract>(
    query: KontrolQuery,
    options: WithContract<C>,
  ): KiteWatch<TypedKiteEvent<C>>;
  watchKites(query: KontrolQuery, options?: WithContract<Contract>): KiteWatch {
    return options === undefined
      ? this.#finder().watchKites(query)
      : this.#finder().watchTypedKites(query, options);
  }

  /**
   * Returns a token for calls to the one kite that matches.
   *
   * @throws {KiteError} `genericError` if several kites match, and with the code `kitesNotFound` if none
   */
  async getToken(query: KontrolQuery, options: GetTokenOptions = {}): Promise<string> {
    return await this.#finder().getToken(query, options);
  }

  /** Closes all connections. The kite can connect again afterwards. */
  async close(): Promise<void> {
    this.#kontrol?.close();
    this.#kontrol = undefined;
    await this.#core.closeClients();
  }

  /** Closes the kite, see {@linkcode Kite.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #finder(): KontrolFinder {
    return this.#kontrol ??= new KontrolFinder({
      kontrolUrls: this.#options.kontrolUrl ?? [],
      kontrolSettings: "kontrolUrl",
      timeout: this.#options.timeout ?? 15_000,
      credentials: () => this.#options.kontrolAuthentication,
      newClient: (url, options, hooks) => this.#core.newClient(url, options, hooks),
      report: (what, error) => this.#core.report(what, error),
    });
  }
}
