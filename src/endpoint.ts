import { METHOD_NAME_ALL } from "hono/router";
import { PatternRouter } from "hono/router/pattern-router";
import {
  type Connection,
  type ConnectionHost,
  type ConnectionOptions,
  IncomingConnection,
} from "./connection.ts";
import {
  type RequestInfo,
  type SockJsOptions,
  SockJsServer,
} from "./transport/sockjs/server/mod.ts";
import { pathnameOf } from "./transport/url.ts";
import type { Origins } from "./origins.ts";
import type { Session } from "./transport/session.ts";

/** Answers HTTP requests for a path, see {@linkcode Kite.handleHttp}. */
export type HttpHandler = (request: Request) => Response | Promise<Response>;

/** What an endpoint needs from its kite. */
export interface EndpointHost extends ConnectionHost {
  /** Tells pages of other origins from other callers. */
  readonly origins: Origins;
  /** Called for each new connection. */
  connectionOpened(connection: Connection): void;
}

/** The path of a kite's URL. */
export const KITE_PATH = "/kite";

/** Longest interval at which silent connections are checked, milliseconds. */
const LONGEST_SWEEP = 5_000;

/** A name or an address with an optional port. Excludes anything that could be read as a path. */
const HOST = /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** The HTTP side of a kite: SockJS, routes that the user added, and the open connections. */
export class Endpoint {
  readonly #host: EndpointHost;
  readonly #sockjs: SockJsServer;
  readonly #connections = new Set<IncomingConnection>();
  /** Connections without a message so far, oldest first, with the time at which they opened. */
  readonly #silent = new Map<IncomingConnection, number>();
  readonly #routes = new PatternRouter<HttpHandler>();
  #hasRoutes = false;
  /** The last valid `Host`, since most requests have the same. */
  #lastHost: string | undefined;
  #sweeper: ReturnType<typeof setTimeout> | undefined;

  constructor(host: EndpointHost, options: SockJsOptions) {
    this.#host = host;
    this.#sockjs = new SockJsServer({
      ...options,
      limits: host.limits,
      onError: (error) => host.report("The handler of a session failed", error),
      foreignOrigin: (request, remoteAddress) => host.origins.foreign(request, remoteAddress),
      onSession: (session, _request, foreignOrigin) => this.#accept(session, foreignOrigin),
    });
  }

  /** The open connections. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** Adds a path to serve. */
  addRoute(pathname: string, handler: HttpHandler): void {
    this.#hasRoutes = true;
    this.#routes.add(METHOD_NAME_ALL, pathname, handler);
  }

  /** Answers an HTTP request: an added route, SockJS, or 404. */
  fetch(request: Request, info: RequestInfo): Response | Promise<Response> {
    // Checked before `request.url` is read, since it contains `Host`, which could change the path.
    if (!this.#isHost(request.headers.get("host"))) {
      return new Response("Bad Request: Host is not a host\n", { status: 400 });
    }
    if (this.#hasRoutes) {
      const [[route]] = this.#routes.match(METHOD_NAME_ALL, pathnameOf(request.url));
      if (route !== undefined) return route[0](request);
    }
    if (!this.#host.origins.admits(request)) {
      return new Response("Forbidden: the kite does not list this origin\n", { status: 403 });
    }
    return this.#sockjs.fetch(request, info);
  }

  /** Starts a connection over a session. */
  accept(session: Session, options: ConnectionOptions = {}): Connection {
    const connection = new IncomingConnection(this.#host, session, options);
    this.#connections.add(connection);
    if (this.#host.limits.firstMessage > 0) {
      this.#silent.set(connection, performance.now());
      this.#armSweeper();
    }
    this.#host.connectionOpened(connection);
    connection.start();
    return connection;
  }

  /** Removes a connection that has ended. */
  forget(connection: IncomingConnection): void {
    this.#connections.delete(connection);
    this.#silent.delete(connection);
  }

  /**
   * Refuses new sessions, waits for running requests, then ends all sessions.
   *
   * @param deadline milliseconds to wait for running requests
   */
  async close(deadline: number): Promise<void> {
    this.#sockjs.refuseSessions();
    await Promise.all([...this.#connections].map((connection) => connection.idle(deadline)));
    clearTimeout(this.#sweeper);
    this.#sweeper = undefined;
    this.#silent.clear();
    await this.#sockjs.close();
    for (const connection of this.#connections) void connection.close();
  }

  /** True for a `Host` header that names a host; HTTP/1.0 and HTTP/2 have none. */
  #isHost(host: string | null): boolean {
    if (host === null || host === this.#lastHost) return true;
    if (!HOST.test(host) || !URL.canParse(`http://${host}`)) return false;
    this.#lastHost = host;
    return true;
  }

  #accept(session: Session, foreignOrigin: string | undefined): void {
    this.accept(session, foreignOrigin === undefined ? {} : { foreignOrigin });
  }

  #armSweeper(): void {
    if (this.#sweeper !== undefined) return;
    const { firstMessage } = this.#host.limits;
    this.#sweeper = setTimeout(this.#sweep, Math.min(LONGEST_SWEEP, firstMessage));
  }

  readonly #sweep = (): void => {
    this.#sweeper = undefined;
    const { firstMessage } = this.#host.limits;
    const now = performance.now();
    for (const [connection, since] of this.#silent) {
      if (connection.hadMessage) this.#silent.delete(connection);
      else if (now - since >= firstMessage) {
        this.#silent.delete(connection);
        void connection.close(3008, `no message within ${firstMessage} ms (limit: firstMessage)`);
      }
    }
    if (this.#silent.size > 0) this.#armSweeper();
  };
}
