import { Trust } from "./auth/trust.ts";
import { Builtins } from "./builtins/mod.ts";
import { CallingCore } from "./calling_core.ts";
import { checkClientOptions } from "./client_options.ts";
import { configWarnings } from "./config.ts";
import type { Config } from "./config_options.ts";
import type { Connection } from "./connection.ts";
import { describeMethods } from "./contract/describe.ts";
import { KontrolClient } from "./discovery/kontrol_client.ts";
import { Endpoint, type EndpointHost, type HttpHandler, KITE_PATH } from "./endpoint.ts";
import { Events } from "./events.ts";
import { Origins } from "./origins.ts";
import {
  checkCloseOptions,
  type CloseOptions,
  type KiteOptions,
  resolveOptions,
} from "./kite_options.ts";
import { Lifecycle } from "./lifecycle.ts";
import { KiteLogger } from "./log.ts";
import { OperatorLog } from "./operator_log.ts";
import { KiteError } from "./protocol/errors.ts";
import { addVerifiers } from "./rpc/verifiers.ts";
import { newCompactCodec } from "./rpc/compact_codec.ts";
import { Authenticators } from "./rpc/authenticators.ts";
import type { Authentication } from "./rpc/codec.ts";
import type { IncomingCall, KiteRequest } from "./rpc/request.ts";
import { hostname } from "./runtime/env.ts";
import { isFirst } from "./runtime/process.ts";
import { ListeningServer } from "./server.ts";
import { dialSession } from "./transport/dial_session.ts";
import type { CloseInfo, Session } from "./transport/session.ts";
import type { RequestInfo } from "./transport/sockjs/server/mod.ts";
import { frameLimit } from "./transport/sockjs/server/incoming_bytes.ts";

/** Milliseconds that running calls get to finish when the kite closes. */
const DEFAULT_DEADLINE = 5_000;

/** The events of a kite, see the `on` methods of {@linkcode Kite}. */
interface KiteEvents {
  connect: Connection;
  firstRequest: KiteRequest;
  disconnect: { readonly connection: Connection; readonly info: CloseInfo };
  register: string;
  listen: ListeningServer;
  close: undefined;
}

/** The parts of a kite and how they work together. {@linkcode Kite} is its public interface. */
export class KiteCore extends CallingCore {
  readonly config: Config;
  readonly authenticators: Authenticators;
  readonly events: Events<KiteEvents>;
  readonly #options: KiteOptions;
  readonly #lifecycle = new Lifecycle();
  readonly #operatorLog: OperatorLog;
  readonly #trust: Trust;
  readonly #builtins: Builtins;
  readonly #routes: [string, HttpHandler][] = [];
  /** What connections see of this kite. */
  readonly #host: EndpointHost;
  #kontrol: KontrolClient | undefined;
  #endpoint: Endpoint | undefined;
  #server: ListeningServer | undefined;
  #isClosed = false;

  constructor(name: string, version: string, options: KiteOptions) {
    const warnings: string[] = [];
    const { config, own } = resolveOptions(options, (warning) => warnings.push(warning));
    const { username, environment, region, limits, timeout } = config;
    const id = own.id ?? crypto.randomUUID();
    const authenticators = new Authenticators();
    const log = own.logger ?? new KiteLogger(name, config);
    const operatorLog = new OperatorLog(log, {
      logConnections: own.logConnections ?? false,
      isDebug: config.logLevel === "DEBUG",
    });
    super({
      identity: { username, environment, name, version, region, hostname: hostname(), id },
      log,
      eventLog: operatorLog,
      methods: {
        handling: own.methodHandling ?? "method",
        authenticates: !(own.disableAuthentication ?? false),
        authenticators,
      },
      limits,
      timeout,
      clientDefaults: config,
      dialSession,
      checkClientOptions,
      compact: own.compact ?? true,
      newCompactCodec,
    });
    this.#operatorLog = operatorLog;
    this.authenticators = authenticators;
    this.config = config;
    this.#options = own;
    for (const warning of [...warnings, ...configWarnings()].filter(isFirst)) {
      this.log.warning("{warning}", { warning });
    }
    this.events = new Events((event, error) =>
      this.report(`A listener for "${event}" of the kite failed`, error)
    );
    const { kiteKey, kontrolKey, kontrolUser } = config;
    this.#trust = new Trust({
      kiteKey,
      kontrolKey,
      kontrolUser,
      keyOverlap: own.keyOverlap,
      requireKeyHandover: own.requireKeyHandover,
    });
    this.#trust.onChange((formerKiteKey) => {
      this.authenticators.trustChanged();
      this.#replaceKiteKey(formerKiteKey);
    });
    this.#host = this.#createHost();
    addVerifiers(authenticators, this.#trust, this.identity, {
      ...own,
      verifyTtl: config.verifyTtl,
    });
    this.#builtins = new Builtins({
      handle: (method, handler) => this.methods.handle(method, handler),
      // Every request that a handler gets is an IncomingCall.
      describe: (request) => describeMethods(this.methods, request as IncomingCall),
      permissions: own.builtins ?? {},
      webrtc: own.webrtc ?? false,
      logRemote: (from, message) => this.#operatorLog.remote(from, message),
      tunnel: (url) => this.#tunnel(url),
      mayTunnel: (remote) => this.#kontrol?.proxies.isTunnelProxy(remote) ?? false,
    });
  }

  /** The open connections of remotes that dialled this kite. */
  get connections(): ReadonlySet<Connection> {
    return this.#endpoint?.connections ?? new Set();
  }

  /** The server, while the kite listens. */
  get server(): ListeningServer | undefined {
    return this.#server;
  }

  /** The client of Kontrol, created on first use. */
  get kontrol(): KontrolClient {
    return this.#kontrol ??= new KontrolClient({
      identity: this.identity,
      trust: this.#trust,
      kontrolUrls: this.config.kontrolUrls,
      kontrolSettings: "kontrolUrl or KITE_KONTROL_URL, or get a kite.key",
      kontrolUser: this.config.kontrolUser,
      proxyUrl: this.config.proxyUrl,
      ca: this.config.ca,
      timeout: this.config.timeout,
      credentials: () => this.#credentials(),
      newClient: (url, options, hooks) => this.newClient(url, options, hooks),
      report: (what, error) => this.report(what, error),
      registered: (url) => this.events.emit("register", url),
    });
  }

  /** Serves a path in addition to the kite's own. */
  handleHttp(pathname: string, handler: HttpHandler): void {
    this.#routes.push([pathname, handler]);
    this.#endpoint?.addRoute(pathname, handler);
  }

  readonly fetch = (request: Request, info: RequestInfo = {}): Response | Promise<Response> =>
    this.#isClosed
      ? new Response("the kite is closed\n", { status: 503 })
      : this.#openEndpoint().fetch(request, info);

  /** Serves a remote over a session that did not come through {@linkcode KiteCore.fetch}. */
  accept(session: Session): Connection {
    if (this.#isClosed) {
      throw new KiteError("aborted", "Cannot accept a session: the kite is closed");
    }
    return this.#endpointFor("accept a session").accept(session);
  }

  listen(): Promise<ListeningServer> {
    return this.#lifecycle.start(() => this.#listen());
  }

  async #listen(): Promise<ListeningServer> {
    if (this.#server !== undefined) {
      throw new KiteError(
        "configError",
        `Cannot listen: the kite listens already, at ${this.#server.url}`,
      );
    }
    const { ip, port, tls } = this.config;
    this.#isClosed = false;
    const server = await ListeningServer.listen({
      hostname: ip,
      port,
      path: this.#options.sockjs?.prefix ?? KITE_PATH,
      ...(tls === undefined ? {} : { tls }),
      idleTimeout: this.config.handshakeTimeout,
      connections: this.config.limits.connections,
      webSocketBytes: frameLimit(this.config.limits),
      fetch: this.fetch,
      onError: (error) => this.report("An HTTP request failed", error),
      close: (options) => this.close(options),
    });
    this.#server = server;
    this.log.debug(`${this.identity.name} listens at ${server.url}`);
    this.events.emit("listen", server);
    return server;
  }

  async close(options: CloseOptions): Promise<void> {
    const { deadline = DEFAULT_DEADLINE } = checkCloseOptions(options);
    await this.#lifecycle.stop(() => this.#close(deadline));
  }

  async #close(deadline: number): Promise<void> {
    this.methods.isClosing = true;
    this.#kontrol?.close();
    this.#kontrol = undefined;
    // Stopping the server would end its WebSockets, so the requests on them have to finish first.
    await this.#endpoint?.close(deadline);
    this.#isClosed = true;
    this.#endpoint = undefined;
    const server = this.#server;
    this.#server = undefined;
    const stopped = server?.stopListening();
    await this.closeClients();
    this.#builtins.stop();
    await stopped;
    this.methods.isClosing = false;
    this.#operatorLog.flush();
    if (server !== undefined) this.events.emit("close", undefined);
  }

  /** @throws {KiteError} `limitError` if there is no room for another session */
  #endpointFor(action: string): Endpoint {
    const endpoint = this.#openEndpoint();
    const { sessions } = this.config.limits;
    if (endpoint.connections.size < sessions) return endpoint;
    throw new KiteError(
      "limitError",
      `Cannot ${action}: there are ${sessions} sessions (limit: sessions)`,
    );
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

  #credentials(): Authentication | undefined {
    const { kiteKey } = this.#trust;
    return kiteKey === undefined ? undefined : { type: "kiteKey", key: kiteKey };
  }

  /** Gives clients that send the former kite.key the new one. */
  #replaceKiteKey(former: string | undefined): void {
    const { kiteKey } = this.#trust;
    if (former === undefined || kiteKey === undefined || kiteKey === former) return;
    for (const client of this.clients) {
      const { type, key } = client.authentication ?? {};
      if (type === "kiteKey" && key === former) client.authentication = { type, key: kiteKey };
    }
  }

  /** Dials a proxy's tunnel. Its session counts as dialled by the remote (docs/protocol.md §5). */
  async #tunnel(url: string): Promise<void> {
    const { ca, handshakeTimeout, limits } = this.config;
    const endpoint = this.#endpointFor("open a tunnel");
    const session = await dialSession(url, { isSessionUrl: true, ca, handshakeTimeout, limits });
    if (this.#endpoint === endpoint) return void endpoint.accept(session, { compact: false });
    session.close();
    throw new KiteError("aborted", "Cannot open a tunnel: the kite was closed");
  }

  protected override get hasRemotes(): boolean {
    return super.hasRemotes || this.connections.size > 0;
  }

  #createHost(): EndpointHost {
    return {
      ...this.clientHost,
      origins: new Origins(this.#options.origins, this.config.ip),
      concurrentCallbacks: this.#options.concurrentCallbacks ?? false,
      connectionOpened: (connection) => {
        this.#operatorLog.opened(connection);
        this.events.emit("connect", connection);
      },
      connectionHadRequest: (_connection, request) => this.events.emit("firstRequest", request),
      connectionClosed: (connection, info) => {
        this.#endpoint?.forget(connection);
        this.#operatorLog.closed(connection, info);
        this.flushLog();
        this.events.emit("disconnect", { connection, info });
      },
    };
  }
}
