import type { Client } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";
import { isVersionRequested } from "./config.ts";
import type { Config } from "./config_options.ts";
import type { Connection } from "./connection.ts";
import { type Implementation, type ImplementOf, schemaHandler } from "./contract/contract.ts";
import type { ImplementOptions } from "./contract/handler.ts";
import { implementContract, type ImplementedMethods } from "./contract/implement.ts";
import type {
  GetTokenOptions,
  TypedClient,
  TypedKiteEvent,
  WaitOptions,
  WithContract,
} from "./discovery/options.ts";
import type { ProxyRegistrationOptions } from "./discovery/proxy_registration.ts";
import type { RegisterResult } from "./discovery/register_result.ts";
import type { KiteWatch } from "./discovery/watch.ts";
import type { HttpHandler } from "./endpoint.ts";
import { KiteCore } from "./kite_core.ts";
import type { CloseOptions, KiteOptions } from "./kite_options.ts";
import { KiteLogger, type Logger, toggleDebugOnSignal } from "./log.ts";
import { KiteError } from "./protocol/errors.ts";
import type { KiteIdentity } from "./protocol/identity.ts";
import type { KontrolQuery } from "./protocol/query.ts";
import type { Authenticator } from "./rpc/authenticators.ts";
import type { Contract, MethodSchemas } from "./rpc/contract_types.ts";
import type { FinalHandler, Handler, Method } from "./rpc/method.ts";
import type { TellOptions } from "./rpc/remote.ts";
import type { KiteRequest } from "./rpc/request.ts";
import { exit, onInterrupt, printLine } from "./runtime/process.ts";
import type { Server } from "./server.ts";
import type { CloseInfo, Session } from "./transport/session.ts";
import type { RequestInfo } from "./transport/sockjs/server/mod.ts";

/**
 * A kite: it serves methods to other kites, and calls methods of other kites.
 *
 * @example A kite that squares numbers, and one that calls it
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const math = new Kite("math", "1.0.0", { ip: "127.0.0.1" });
 * math.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
 * await using server = await math.listen();
 *
 * await using remote = new Kite("exp2", "1.0.0").newClient(server.url);
 * await remote.dial();
 * console.assert(await remote.tell("square", 4) === 16);
 * ```
 */
export class Kite implements AsyncDisposable {
  /** All settings, including defaults and those from environment variables and the kite.key. */
  readonly config: Config;
  /** The logger of the kite. */
  readonly log: Logger;
  /**
   * Answers an HTTP request. Pass this function to any server that takes a function from `Request`
   * to `Response`. A closed kite answers 503 until it listens again.
   */
  readonly fetch: (request: Request, info?: RequestInfo) => Response | Promise<Response>;
  readonly #core: KiteCore;

  /**
   * Creates a kite. It does not listen or connect yet.
   *
   * @param name the name by which others find the kite
   * @param version three numbers, such as "1.0.0"
   * @throws {KiteError} `configError` for a name, version, option, variable or file that cannot be used
   */
  constructor(name: string, version: string, options: KiteOptions = {}) {
    this.#core = new KiteCore(name, version, options);
    this.config = this.#core.config;
    this.log = this.#core.log;
    this.fetch = this.#core.fetch;
  }

  /** The identity that the kite sends with every call. */
  get identity(): KiteIdentity {
    return this.#core.identity;
  }

  /** The kite's id, a UUID. Unless the option `id` is set, it changes with each start. */
  get id(): string {
    return this.#core.identity.id;
  }

  /** The open connections of remotes that dialled this kite. */
  get connections(): ReadonlySet<Connection> {
    return this.#core.connections;
  }

  /**
   * Adds a method. It replaces a method of the same name.
   *
   * @returns the method, to set its hooks, throttling and authentication
   * @throws {KiteError} `configError` for a name or handler that cannot be used
   */
  handle(name: string, handler: Handler): Method;
  /**
   * Adds a method whose arguments are checked before it runs.
   *
   * @example
   * ```ts
   * import { Kite, type } from "@kite/kite";
   *
   * const kite = new Kite("math", "1.0.0");
   * kite.handle("square", { args: [type<number>()] }, (n) => n ** 2);
   * ```
   *
   * @param schemas schemas of any library that follows Standard Schema
   */
  handle<const S extends MethodSchemas>(
    name: string,
    schemas: S,
    implementation: ImplementOf<S>,
  ): Method;
  handle(
    name: string,
    given: Handler | MethodSchemas,
    implementation?: (...args: never[]) => unknown,
  ): Method {
    const { methods } = this.#core;
    if (implementation === undefined) return methods.handle(name, given as Handler);
    const schemas = given as MethodSchemas;
    return methods.handle(name, schemaHandler(name, schemas, implementation), schemas);
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
   * @returns the methods, to set their hooks, throttling and authentication
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

  /** Lets anyone call every method. */
  disableAuthentication(): this {
    this.#core.methods.authenticates = false;
    return this;
  }

  /**
   * Adds an authenticator for callers that send an authentication of this type. It replaces one of the
   * same type, also the built-in ones for `token` and `kiteKey`.
   */
  addAuthenticator(type: string, authenticator: Authenticator): this {
    this.#core.authenticators.set(type, authenticator);
    return this;
  }

  /**
   * Removes an authenticator. Callers with an authentication of this type are refused from now on.
   *
   * @returns whether there was one
   */
  removeAuthenticator(type: string): boolean {
    return this.#core.authenticators.delete(type);
  }

  /**
   * Serves HTTP requests for another path than the kite's own.
   *
   * @param pathname such as "/health"; "/files/:name" matches one more segment, "/files/*" all paths below
   */
  handleHttp(pathname: string, handler: HttpHandler): this {
    this.#core.handleHttp(pathname, handler);
    return this;
  }

  /**
   * Adds a listener for each connection of a remote that dials this kite.
   *
   * @returns a function that removes the listener
   */
  onConnect(listener: (connection: Connection) => unknown): () => void {
    return this.#core.events.on("connect", listener);
  }

  /**
   * Adds a listener for the first call on each connection.
   *
   * @returns a function that removes the listener
   */
  onFirstRequest(listener: (request: KiteRequest) => unknown): () => void {
    return this.#core.events.on("firstRequest", listener);
  }

  /**
   * Adds a listener for the end of each connection of a remote that dialled this kite.
   *
   * @returns a function that removes the listener
   */
  onDisconnect(listener: (connection: Connection, info: CloseInfo) => unknown): () => void {
    return this.#core.events.on("disconnect", ({ connection, info }) => listener(connection, info));
  }

  /**
   * Adds a listener for each registration at Kontrol. Its argument is the registered URL.
   *
   * @returns a function that removes the listener
   */
  onRegister(listener: (url: string) => unknown): () => void {
    return this.#core.events.on("register", listener);
  }

  /**
   * Adds a listener that is called when the kite begins to listen.
   *
   * @returns a function that removes the listener
   */
  onListen(listener: (server: Server) => unknown): () => void {
    return this.#core.events.on("listen", listener);
  }

  /**
   * Adds a listener that is called when the kite has stopped listening.
   *
   * @returns a function that removes the listener
   */
  onClose(listener: () => unknown): () => void {
    return this.#core.events.on("close", listener);
  }

  /**
   * Creates a client of a remote kite. It is not connected yet.
   *
   * @param url such as "http://localhost:3636/kite". If there are several, the next one is used after
   * each failure.
   * @throws {KiteError} `configError` for an option that cannot be used
   */
  newClient(url: string | URL | readonly string[], options: ClientOptions = {}): Client {
    return this.#core.newClient(url, options);
  }

  /**
   * Serves a remote over a session that you provide, such as a transport of your own. A remote kite
   * opens its end with the option `connect` of {@linkcode Kite.newClient}.
   *
   * @throws {KiteError} `limitError` if there are too many sessions; `aborted` if the kite is closed
   */
  accept(session: Session): Connection {
    return this.#core.accept(session);
  }

  /**
   * The connection to Kontrol, which is dialled on first use.
   *
   * @throws {KiteError} `configError` if no URL of Kontrol is known
   */
  get kontrol(): Client {
    return this.#core.kontrol.client;
  }

  /**
   * Waits for the connection to Kontrol.
   *
   * @throws {KiteError} `timeout`, `aborted`; `configError` if no URL of Kontrol is known
   */
  async kontrolReady(options: WaitOptions = {}): Promise<void> {
    await this.#core.kontrol.ready(options);
  }

  /** Calls a method of Kontrol, see {@linkcode RemoteKite.tell}. */
  tellKontrol(method: string, ...args: unknown[]): Promise<unknown>;
  /** Calls a method of Kontrol, and asserts the type of the result. The type is not checked. */
  tellKontrol<Result>(method: string, ...args: unknown[]): Promise<Result>;
  async tellKontrol(method: string, ...args: unknown[]): Promise<unknown> {
    return await this.#core.kontrol.tell({}, method, ...args);
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
    return await this.#core.kontrol.tell(options, method, ...args);
  }

  /**
   * Registers at Kontrol, so that others find this kite. The kite registers again after every
   * reconnection to Kontrol, until it is closed.
   *
   * @param url the URL under which others reach this kite, such as "http://host:3636/kite"
   * @returns Kontrol's first answer
   * @throws {KiteError} the error of a Kontrol that refuses; `configError` if no Kontrol is known
   */
  async register(url: string): Promise<RegisterResult> {
    return await this.#core.kontrol.register(url);
  }

  /** Registers once. The registration ends with the connection to Kontrol. */
  async registerOnce(url: string): Promise<RegisterResult> {
    return await this.#core.kontrol.registerOnce(url);
  }

  /** Registers over HTTP, and sends heartbeats until the kite is closed. */
  async registerHttp(url: string): Promise<RegisterResult> {
    return await this.#core.kontrol.registerHttp(url);
  }

  /**
   * Registers at a reverse proxy, and at Kontrol with the URL that the proxy returns. If the connection
   * to the proxy is lost, the kite registers again at any proxy, until it is closed.
   *
   * @param url the URL under which the proxy reaches this kite, such as "http://host:3636/kite"
   * @returns the URL under which others reach this kite
   * @throws {KiteError} the error of a proxy or Kontrol that refuses; `aborted` if the kite is closed
   * @example
   * ```ts ignore
   * await kite.registerToProxy(kite.registerUrl());
   * ```
   */
  async registerToProxy(url: string, options: ProxyRegistrationOptions = {}): Promise<string> {
    return await this.#core.kontrol.proxies.registerToProxy(url, options);
  }

  /**
   * Registers at a tunnel proxy, through which others reach this kite although it does not listen.
   * Otherwise the same as {@linkcode Kite.registerToProxy}.
   *
   * @returns the URL under which others reach this kite
   * @throws {KiteError} the error of a proxy or Kontrol that refuses; `aborted` if the kite is closed
   * @example
   * ```ts ignore
   * await kite.registerToTunnel({ proxyUrl: "http://proxy.example.com:3999/kite" });
   * ```
   */
  async registerToTunnel(options: ProxyRegistrationOptions = {}): Promise<string> {
    return await this.#core.kontrol.proxies.registerToTunnel(options);
  }

  /**
   * Returns a URL of this kite to register, see {@linkcode Server.registerUrl}.
   *
   * @throws {KiteError} `configError` if the kite does not listen
   */
  registerUrl(host?: string): string {
    const { server } = this.#core;
    if (server !== undefined) return server.registerUrl(host);
    throw new KiteError("configError", "Cannot make a URL to register: the kite does not listen");
  }

  /**
   * Finds kites. Returns a client of each, which is not connected yet and renews its token.
   *
   * @param query at least one field of an identity. `version` can be a constraint such as ">= 1.2".
   * @throws {KiteError} `genericError` with the code `kitesNotFound` if no kite matches
   * @example
   * ```ts
   * import { startTestKontrol } from "@kite/kite/testing";
   *
   * await using kontrol = await startTestKontrol();
   * const math = await kontrol.newKite("math");
   * await math.register((await math.listen()).url);
   *
   * const exp2 = await kontrol.newKite("exp2");
   * const [client] = await exp2.getKites({ name: "math" });
   * await client!.dial();
   * ```
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
    const { kontrol } = this.#core;
    return contract === undefined
      ? await kontrol.getKites(query, waitOptions)
      : await kontrol.getTypedKites(query, { ...waitOptions, contract });
  }

  /**
   * Follows the kites that match a query: a `REGISTER` for each that is registered, then every change.
   *
   * @param query see {@linkcode Kite.getKites}
   * @example
   * ```ts ignore
   * for await (const { action, kite, url } of exp2.watchKites({ name: "math" })) {
   *   console.log(action, kite.hostname, url);
   * }
   * ```
   */
  watchKites(query: KontrolQuery): KiteWatch;
  /** Follows kites that implement a contract. A `REGISTER` has a client and its typed functions. */
  watchKites<C extends Contract>(
    query: KontrolQuery,
    options: WithContract<C>,
  ): KiteWatch<TypedKiteEvent<C>>;
  watchKites(query: KontrolQuery, options?: WithContract<Contract>): KiteWatch {
    const { kontrol } = this.#core;
    return options === undefined
      ? kontrol.watchKites(query)
      : kontrol.watchTypedKites(query, options);
  }

  /**
   * Returns a token for calls to the one kite that matches.
   *
   * @throws {KiteError} `genericError` if several kites match, and with the code `kitesNotFound` if none
   */
  async getToken(query: KontrolQuery, options: GetTokenOptions = {}): Promise<string> {
    return await this.#core.kontrol.getToken(query, options);
  }

  /**
   * Requests the public key of Kontrol. The kite trusts a new key if the current key has signed the
   * change, see {@linkcode KiteOptions.requireKeyHandover}.
   *
   * @returns the key, PEM
   */
  async getKey(options: WaitOptions = {}): Promise<string> {
    return await this.#core.kontrol.getKey(options);
  }

  /**
   * Requests the public key of Kontrol at intervals, see {@linkcode Kite.getKey}.
   *
   * @param interval milliseconds between two requests, at least 100
   * @returns a function that stops it; closing the kite stops it as well
   */
  keyRenewer(interval: number): () => void {
    return this.#core.kontrol.keyRenewer(interval);
  }

  /**
   * Listens on the configured address and port.
   *
   * @throws {KiteError} `configError` if the port is in use or the kite listens already
   */
  async listen(): Promise<Server> {
    return await this.#core.listen();
  }

  /**
   * Listens until the process gets a signal to stop (Ctrl-C, SIGTERM), then closes the kite. If the
   * variable `KITE_VERSION` is set, it prints the kite's version and exits instead.
   */
  async run(): Promise<void> {
    if (isVersionRequested()) {
      printLine(this.identity.version);
      exit(0);
    }
    const server = await this.#core.listen();
    this.log.info(`${this.identity.name} listens at ${server.url}`);
    const closed = Promise.withResolvers<void>();
    const releases = [onInterrupt(() => server.close().then(closed.resolve, closed.reject))];
    if (this.log instanceof KiteLogger) releases.push(toggleDebugOnSignal(this.log));
    try {
      await Promise.race([closed.promise, server.finished]);
    } finally {
      for (const release of releases) release();
    }
  }

  /**
   * Refuses new calls, waits for running ones, then closes all connections, clients and the server. The
   * kite can listen again afterwards.
   */
  async close(options: CloseOptions = {}): Promise<void> {
    await this.#core.close(options);
  }

  /** Closes the kite, see {@linkcode Kite.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
