import { Trust } from "./auth/trust.ts";
import { addVerifiers, type Authenticator } from "./rpc/authenticators.ts";
import { Builtins } from "./builtins/mod.ts";
import { Client, type ClientHost } from "./client.ts";
import type { ClientOptions } from "./client_options.ts";
import { type Config, configWarnings, isVersionRequested } from "./config.ts";
import type { Connection } from "./connection.ts";
import { type GetTokenOptions, KontrolClient } from "./discovery/kontrol_client.ts";
import type { ProxyRegistrationOptions } from "./discovery/proxy_registration.ts";
import type { RegisterResult } from "./discovery/register_result.ts";
import type { KiteWatch } from "./discovery/watch.ts";
import {
  Endpoint,
  type EndpointHost,
  type HttpHandler,
  KITE_PATH,
  type RequestInfo,
} from "./endpoint.ts";
import {
  checkCloseOptions,
  type CloseOptions,
  type KiteEvents,
  type KiteOptions,
  resolveOptions,
} from "./kite_options.ts";
import { OperatorLog } from "./operator_log.ts";
import { createLogger, KiteLogger, type Logger, toggleDebugOnSignal } from "./log.ts";
import { KiteError } from "./protocol/errors.ts";
import { checkIdentity, type KiteIdentity } from "./protocol/identity.ts";
import { Methods } from "./rpc/methods.ts";
import { Events, type Listener } from "./events.ts";
import type { Implementation, ImplementOf } from "./contract/contract.ts";
import { describeMethods } from "./contract/describe.ts";
import {
  implementContract,
  type ImplementedMethods,
  type ImplementOptions,
  schemaHandler,
} from "./contract/implement.ts";
import type { Contract, MethodSchemas } from "./rpc/contract_types.ts";
import type { FinalHandler, Handler, Method } from "./rpc/method.ts";
import type { KontrolQuery } from "./protocol/query.ts";
import type { RemoteKite, TellOptions } from "./rpc/remote.ts";
import type { KiteRequest } from "./rpc/request.ts";
import { hostname } from "./runtime/env.ts";
import { exit, isFirst, onInterrupt, printLine } from "./runtime/process.ts";
import { Server } from "./server.ts";
import { dialSession } from "./transport/dial.ts";
import { frameLimit } from "./transport/sockjs/server/session.ts";

const DEFAULT_DEADLINE = 5_000;

/**
 * A kite: methods that others call, and clients that call others.
 *
 * @example A kite that squares numbers for everyone
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
  /** The kite's settings, complete. */
  readonly config: Config;
  /** Where the kite's messages go. */
  readonly log: Logger;
  readonly #identity: KiteIdentity;
  readonly #trust: Trust;
  readonly #options: KiteOptions;
  readonly #methods: Methods;
  readonly #events: Events<KiteEvents>;
  readonly #builtins: Builtins;
  readonly #clients = new Set<Client>();
  readonly #operatorLog: OperatorLog;
  readonly #routes: [string, HttpHandler][] = [];
  /** The face of this kite toward its clients and connections. */
  readonly #host: ClientHost & EndpointHost;
  #kontrol: KontrolClient | undefined;
  #endpoint: Endpoint | undefined;
  #closing: Promise<void> | undefined;
  #isClosed = false;
  #server: Server | undefined;

  /**
   * A kite that neither listens nor calls yet.
   *
   * @param name what others find it by
   * @param version three numbers, such as "1.0.0"
   * @throws {KiteError} `configError` that names what is wrong and what would be right
   */
  constructor(name: string, version: string, options: KiteOptions = {}) {
    const warnings: string[] = [];
    const { config, own } = resolveOptions(options, (warning) => warnings.push(warning));
    this.#options = own;
    this.config = config;
    const { username, environment, region } = this.config;
    const id = own.id ?? crypto.randomUUID();
    this.#identity = ownIdentity(
      { username, environment, name, version, region, hostname: hostname(), id },
      this.config.limits.nameLength,
    );
    this.log = own.logger ?? createLogger(name, this.config);
    for (const warning of [...warnings, ...configWarnings()].filter(isFirst)) {
      this.log.warning("{warning}", { warning });
    }
    this.#operatorLog = new OperatorLog(this.log, {
      logConnections: this.#options.logConnections ?? false,
      isDebug: this.config.logLevel === "DEBUG",
    });
    this.#events = new Events((event, error) =>
      this.#report(`a listener of the kite's "${event}" event failed`, error)
    );
    const { kiteKey, kontrolKey, kontrolUser } = this.config;
    this.#trust = new Trust({
      kiteKey,
      kontrolKey,
      kontrolUser,
      keyOverlap: own.keyOverlap,
      requireKeyHandover: own.requireKeyHandover,
    });
    this.#trust.onChange((formerKiteKey) => {
      this.#methods.authenticators.trustChanged();
      this.#showKiteKey(formerKiteKey);
    });
    this.#methods = new Methods({
      handling: own.methodHandling ?? "method",
      authenticates: !(own.disableAuthentication ?? false),
      nameLength: this.config.limits.nameLength,
    });
    this.#host = this.#makeHost();
    addVerifiers(this.#methods.authenticators, this.#trust, this.#identity, {
      ...own,
      verifyTtl: this.config.verifyTtl,
    });
    this.#builtins = new Builtins({
      handle: (method, handler) => this.handle(method, handler),
      describe: (request) => describeMethods(this.#methods, request),
      permissions: own.builtins ?? {},
      webrtc: own.webrtc ?? false,
      logRemote: (from, message) => this.#operatorLog.remote(from, message),
      tunnel: (url) => this.#tunnel(url),
      mayTunnel: (remote) => this.#kontrol?.proxies.isTunnelProxy(remote) ?? false,
    });
  }

  /** What the kite says of itself in every call. */
  get identity(): KiteIdentity {
    return this.#identity;
  }

  /** The kite's id: a UUID, new at each start. */
  get id(): string {
    return this.#identity.id;
  }

  /** The connections of those that dialled us. */
  get connections(): ReadonlySet<Connection> {
    return this.#endpoint?.connections ?? new Set();
  }

  /** Adds a method. It replaces a method of the same name. */
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
    if (implementation === undefined) return this.#methods.handle(name, given as Handler);
    const schemas = given as MethodSchemas;
    return this.#methods.handle(name, schemaHandler(name, schemas, implementation), schemas);
  }

  /**
   * Adds every method of a contract.
   *
   * @param implementation a function for each method
   * @returns the methods, to set hooks, throttling and authentication
   * @throws {KiteError} `configError` if a function is missing, or one is not in the contract
   */
  implement<C extends Contract>(
    contract: C,
    implementation: Implementation<C>,
    options: ImplementOptions = {},
  ): ImplementedMethods<C> {
    return implementContract(this.#methods, contract, implementation, options);
  }

  /**
   * Stops serving a method.
   *
   * @returns whether there was one
   */
  unhandle(name: string): boolean {
    return this.#methods.unhandle(name);
  }

  /** Adds a handler that runs before that of every method. */
  preHandle(handler: Handler): this {
    this.#methods.hooks.pre.push(handler);
    return this;
  }

  /** Adds a handler that runs after that of every method, unless there was an error. */
  postHandle(handler: Handler): this {
    this.#methods.hooks.post.push(handler);
    return this;
  }

  /** Adds a function that runs last for every method, also after an error. */
  finalFunc(handler: FinalHandler): this {
    this.#methods.hooks.final.push(handler);
    return this;
  }

  /** Lets anyone call every method. */
  disableAuthentication(): this {
    this.#methods.authenticates = false;
    return this;
  }

  /** Takes callers that show an authentication of this type; replaces `token` and `kiteKey` too. */
  authenticator(type: string, authenticator: Authenticator): this {
    this.#methods.authenticators.set(type, authenticator);
    return this;
  }

  /**
   * Takes no callers of this type any more.
   *
   * @returns whether it did
   */
  removeAuthenticator(type: string): boolean {
    return this.#methods.authenticators.delete(type);
  }

  /**
   * Serves a path of HTTP beside the kite's own.
   *
   * @param pathname such as "/health"; "/files/:name" takes any one segment, "/files/*" all paths below
   */
  handleHttp(pathname: string, handler: HttpHandler): this {
    this.#routes.push([pathname, handler]);
    this.#endpoint?.addRoute(pathname, handler);
    return this;
  }

  /**
   * Hears of an event.
   *
   * @returns a function that removes the listener
   */
  on<Name extends keyof KiteEvents>(
    name: Name,
    listener: Listener<KiteEvents[Name]>,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Hears of each remote that dials us.
   *
   * @returns a function that removes the listener
   */
  onConnect(listener: (client: RemoteKite) => unknown): () => void {
    return this.on("connect", ({ client }) => listener(client));
  }

  /**
   * Hears of the first call on each connection.
   *
   * @returns a function that removes the listener
   */
  onFirstRequest(listener: (request: KiteRequest) => unknown): () => void {
    return this.on("firstRequest", ({ request }) => listener(request));
  }

  /**
   * Hears of the end of each connection.
   *
   * @returns a function that removes the listener
   */
  onDisconnect(listener: (client: RemoteKite) => unknown): () => void {
    return this.on("disconnect", ({ client }) => listener(client));
  }

  /**
   * A client for the kite at a URL, not dialled yet.
   *
   * @param url such as "http://localhost:3636/kite"; of several, the next is tried when one fails
   */
  newClient(url: string | URL | readonly string[], options: ClientOptions = {}): Client {
    return new Client(this.#host, url, options);
  }

  /** The line to Kontrol, dialled when it is first needed. */
  get kontrol(): KontrolClient {
    return this.#kontrol ??= new KontrolClient({
      identity: this.#identity,
      trust: this.#trust,
      kontrolUrls: this.config.kontrolUrls,
      kontrolUser: this.config.kontrolUser,
      proxyUrl: this.config.proxyUrl,
      ca: this.config.ca,
      timeout: this.config.timeout,
      newClient: (url, options, hooks) => new Client(this.#host, url, options, hooks),
      report: (what, error) => this.#report(what, error),
      registered: (url) => this.#events.emit("register", { url }),
    });
  }

  /**
   * Resolves when there is a connection to Kontrol.
   *
   * @throws {KiteError} `timeout`
   */
  async kontrolReady(options: TellOptions = {}): Promise<void> {
    return await this.kontrol.ready(options);
  }

  /** Calls a method of Kontrol. */
  tellKontrol(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  /** The same, with the type of the result. It is an assertion and not checked. */
  tellKontrol<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
  async tellKontrol(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown> {
    return await this.kontrol.tell(options, method, ...args);
  }

  /**
   * Registers at Kontrol, so that others find this kite, and keeps it up: again after every
   * reconnection, for as long as the kite runs.
   *
   * @param url where others reach this kite, such as "http://host:3636/kite"
   * @returns what Kontrol answered the first time
   * @throws {KiteError} what Kontrol refused with; `configError` when no Kontrol is known
   */
  async register(url: string): Promise<RegisterResult> {
    return await this.kontrol.register(url);
  }

  /**
   * A URL of this kite that others can dial, for {@linkcode Kite.register}: see
   * {@linkcode Server.registerUrl}.
   *
   * @throws {KiteError} `configError` when the kite does not listen
   */
  registerUrl(host?: string): string {
    if (this.#server !== undefined) return this.#server.registerUrl(host);
    throw new KiteError("configError", "Cannot make a URL to register: the kite does not listen");
  }

  /** Registers once: the kite is forgotten when the connection to Kontrol goes. */
  async registerOnce(url: string): Promise<RegisterResult> {
    return await this.kontrol.registerOnce(url);
  }

  /** Registers over HTTP, and keeps it up with heartbeats. */
  async registerHttp(url: string): Promise<RegisterResult> {
    return await this.kontrol.registerHttp(url);
  }

  /**
   * Registers to a reverse proxy, and at Kontrol with the URL that it gives; and again, with any
   * proxy there is, whenever the proxy goes. Ends with the kite.
   *
   * @param url where the proxy reaches this kite, such as "http://host:3636/kite"
   * @returns the URL under which others reach this kite, after the first success
   * @throws {KiteError} what the proxy or Kontrol refused with; `aborted` when the kite is closed
   * @example
   * ```ts ignore
   * await kite.registerToProxy(kite.registerUrl());
   * ```
   */
  async registerToProxy(url: string, options: ProxyRegistrationOptions = {}): Promise<string> {
    return await this.kontrol.proxies.registerToProxy(url, options);
  }

  /**
   * Registers to a tunnel proxy, through which others reach this kite although it does not listen;
   * otherwise like {@linkcode Kite.registerToProxy}.
   *
   * @returns the URL under which others reach this kite, after the first success
   * @throws {KiteError} what the proxy or Kontrol refused with; `aborted` when the kite is closed
   * @example
   * ```ts ignore
   * await kite.registerToTunnel({ proxyUrl: "http://proxy.example.com:3999/kite" });
   * ```
   */
  async registerToTunnel(options: ProxyRegistrationOptions = {}): Promise<string> {
    return await this.kontrol.proxies.registerToTunnel(options);
  }

  /**
   * Hears of each registration that Kontrol took.
   *
   * @returns a function that removes the listener
   */
  onRegister(listener: (url: string) => unknown): () => void {
    return this.on("register", ({ url }) => listener(url));
  }

  /**
   * Clients for the kites that match, not dialled yet, with tokens that are kept fresh.
   *
   * @param query any fields of an identity, at least one; `version` may be a constraint: ">= 1.2"
   * @throws {KiteError} `genericError` "no kites availabile" when there is none
   */
  async getKites(query: KontrolQuery): Promise<Client[]> {
    return await this.kontrol.getKites(query);
  }

  /** A token for the one kite that matches. */
  async getToken(query: KontrolQuery, options: GetTokenOptions = {}): Promise<string> {
    return await this.kontrol.getToken(query, options);
  }

  /** A token signed anew for the one kite that matches. */
  async getTokenForce(query: KontrolQuery): Promise<string> {
    return await this.kontrol.getToken(query, { force: true });
  }

  /** Asks Kontrol for the public key to trust now, and takes it over. */
  async getKey(): Promise<string> {
    return await this.kontrol.getKey();
  }

  /**
   * Asks Kontrol for the key to trust every `interval` milliseconds, and takes it over.
   *
   * @returns a function that ends it; it ends with the kite as well
   */
  keyRenewer(interval: number): () => void {
    return this.kontrol.keyRenewer(interval);
  }

  /**
   * Follows the kites that match: a `REGISTER` for each that is there, then every change.
   *
   * @example
   * ```ts ignore
   * for await (const { action, kite, url } of exp2.watchKites({ name: "math" })) {
   *   console.log(action, kite.hostname, url);
   * }
   * ```
   */
  watchKites(query: KontrolQuery): KiteWatch {
    return this.kontrol.watchKites(query);
  }

  /**
   * Answers an HTTP request, so that the kite may be mounted in any server that speaks
   * `(Request) => Response`: the kite's own path is `/kite`. A kite that was closed answers 503 until
   * it listens again.
   */
  readonly fetch = (request: Request, info: RequestInfo = {}): Response | Promise<Response> =>
    this.#isClosed
      ? new Response("the kite is closed\n", { status: 503 })
      : this.#openEndpoint().fetch(request, info);

  /**
   * Listens on the configured address and port.
   *
   * @throws {KiteError} `configError` when the port is taken, or the kite listens already
   */
  async listen(): Promise<Server> {
    if (this.#server !== undefined) {
      throw new KiteError("configError", `the kite listens already, at ${this.#server.url}`);
    }
    const { ip, port, tls } = this.config;
    await this.#closing;
    this.#isClosed = false;
    const server = await Server.listen({
      hostname: ip,
      port,
      path: this.#options.sockjs?.prefix ?? KITE_PATH,
      ...(tls === undefined ? {} : { tls }),
      idleTimeout: this.config.handshakeTimeout,
      connections: this.config.limits.connections,
      webSocketBytes: frameLimit(this.config.limits),
      fetch: this.fetch,
      onError: (error) => this.#report("an HTTP request failed", error),
      close: (options) => this.close(options),
    });
    this.#server = server;
    this.log.debug(`${this.#identity.name} listens at ${server.url}`);
    this.#events.emit("listen", { server });
    return server;
  }

  /**
   * Listens until the process is told to stop (Ctrl-C, SIGTERM), then closes.
   * With `KITE_VERSION` set it prints the version and exits instead.
   */
  async run(): Promise<void> {
    if (isVersionRequested()) {
      printLine(this.#identity.version);
      exit(0);
    }
    const server = await this.listen();
    this.log.info(`${this.#identity.name} listens at ${server.url}`);
    const closed = Promise.withResolvers<void>();
    const releases = [onInterrupt(() => server.close().then(closed.resolve, closed.reject))];
    if (this.log instanceof KiteLogger) releases.push(toggleDebugOnSignal(this.log));
    try {
      await Promise.race([closed.promise, server.finished]);
    } finally {
      for (const release of releases) release();
    }
  }

  /** Refuses new calls, lets running ones finish, then ends every session, client and the server. */
  async close(options: CloseOptions = {}): Promise<void> {
    const { deadline = DEFAULT_DEADLINE } = checkCloseOptions(options);
    this.#closing ??= this.#close(deadline).finally(() => this.#closing = undefined);
    await this.#closing;
  }

  async #close(deadline: number): Promise<void> {
    this.#methods.isClosing = true;
    this.#kontrol?.close();
    this.#kontrol = undefined;
    // A server that stops ends its WebSockets at once: what runs on them has to end before.
    await this.#endpoint?.close(deadline);
    this.#isClosed = true;
    this.#endpoint = undefined;
    const server = this.#server;
    this.#server = undefined;
    const stopped = server?.stop();
    await Promise.all([...this.#clients].map((client) => client[Symbol.asyncDispose]()));
    this.#builtins.stop();
    await stopped;
    this.#methods.isClosing = false;
    this.#operatorLog.flush();
    if (server !== undefined) this.#events.emit("close", {});
  }

  /** Closes, see {@linkcode Kite.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #openEndpoint(): Endpoint {
    if (this.#endpoint !== undefined) return this.#endpoint;
    const endpoint = new Endpoint(this.#host, {
      bodyTimeout: this.config.handshakeTimeout,
      ...this.#options.sockjs,
    });
    for (const [pathname, handler] of this.#routes) endpoint.addRoute(pathname, handler);
    return this.#endpoint = endpoint;
  }

  /** Has the clients that show our former kite.key show the one that Kontrol gave us in its place. */
  #showKiteKey(former: string | undefined): void {
    const { kiteKey } = this.#trust;
    if (former === undefined || kiteKey === undefined || kiteKey === former) return;
    for (const client of this.#clients) {
      const { type, key } = client.authentication ?? {};
      if (type === "kiteKey" && key === former) client.authentication = { type, key: kiteKey };
    }
  }

  /** Dials a proxy's tunnel. Its session counts as dialled by the remote (docs/protocol.md §5). */
  async #tunnel(url: string): Promise<void> {
    const { handshakeTimeout, limits } = this.config;
    const { ca } = this.config;
    const endpoint = this.#openEndpoint();
    if (endpoint.connections.size >= limits.sessions) {
      throw new KiteError(
        "limitError",
        `Cannot open a tunnel: there are ${limits.sessions} sessions (limit: sessions)`,
      );
    }
    const session = await dialSession(url, { isSessionUrl: true, ca, handshakeTimeout, limits });
    if (this.#endpoint === endpoint) return void endpoint.accept(session, { compact: false });
    session.close();
    throw new KiteError("aborted", "Cannot open a tunnel: the kite was closed");
  }

  #report(what: string, error?: unknown): void {
    this.#operatorLog.report(what, error);
  }

  /** Tells what was not logged when nobody is left who could cause more of it. */
  #flushLog(): void {
    if (this.#clients.size + this.connections.size === 0) this.#operatorLog.flush();
  }

  #makeHost(): ClientHost & EndpointHost {
    const { config } = this;
    return {
      identity: this.#identity,
      limits: config.limits,
      timeout: config.timeout,
      concurrentCallbacks: this.#options.concurrentCallbacks ?? false,
      compact: this.#options.compact ?? true,
      clientDefaults: config,
      serve: (request) => this.#methods.serve(request),
      report: (what, error) => this.#report(what, error),
      inFlight: { bytes: 0 },
      callLog: this.#operatorLog,
      clientOpened: (client) => void this.#clients.add(client),
      clientClosed: (client) => {
        this.#clients.delete(client);
        this.#flushLog();
      },
      connectionOpened: (client) => {
        this.#operatorLog.opened(client);
        this.#events.emit("connect", { client });
      },
      connectionHadRequest: (_client, request) => this.#events.emit("firstRequest", { request }),
      connectionClosed: (client, info) => {
        this.#endpoint?.forget(client);
        this.#operatorLog.closed(client, info);
        this.#flushLog();
        this.#events.emit("disconnect", { ...info, client });
      },
    };
  }
}

/** @throws {KiteError} `configError`: here the fields are settings, not what a caller sent */
function ownIdentity(identity: KiteIdentity, nameLength: number): KiteIdentity {
  try {
    return checkIdentity(identity, nameLength);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new KiteError("configError", message, { cause });
  }
}
