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
import type { Session } from "./transport/session.ts";

/** Serves a path beside the kite's own. */
export type HttpHandler = (request: Request) => Response | Promise<Response>;

/** What an endpoint needs from its kite. */
export interface EndpointHost extends ConnectionHost {
  /** A session came in, and is ready. */
  connectionOpened(connection: Connection): void;
}

/** The path of a kite's URL. */
export const KITE_PATH = "/kite";

/** How often connections that never said anything are looked for, at most, milliseconds. */
const LONGEST_SWEEP = 5_000;

/** A name or an address, and perhaps a port: nothing that could pass for a path or a query. */
const HOST = /^(?:[\w.-]{1,253}|\[[\da-f:.]{2,45}\])(?::\d{1,5})?$/i;

/** The side of a kite that is dialled: SockJS, own HTTP routes, and the connections that came in. */
export class Endpoint {
  readonly #host: EndpointHost;
  readonly #sockjs: SockJsServer;
  readonly #connections = new Set<IncomingConnection>();
  /** Connections that have not had a message yet, oldest first, with the time they came. */
  readonly #silent = new Map<IncomingConnection, number>();
  readonly #routes = new PatternRouter<HttpHandler>();
  #hasRoutes = false;
  #sweeper: ReturnType<typeof setTimeout> | undefined;

  constructor(host: EndpointHost, options: SockJsOptions) {
    this.#host = host;
    this.#sockjs = new SockJsServer({
      ...options,
      limits: host.limits,
      onError: (error) => host.report("a session's handler failed", error),
      onSession: (session) => this.#accept(session),
    });
  }

  /** Connections that are there. */
  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  /** Serves a path beside the kite's own. */
  addRoute(pathname: string, handler: HttpHandler): void {
    this.#hasRoutes = true;
    this.#routes.add(METHOD_NAME_ALL, pathname, handler);
  }

  /** Answers an HTTP request: SockJS, an own route, or 404. */
  fetch(request: Request, info: RequestInfo): Response | Promise<Response> {
    // Before `request.url` is read: it is put together from `Host`, which could add to the path.
    if (!isHost(request.headers.get("host"))) {
      return new Response("Bad Request: Host is not a host\n", { status: 400 });
    }
    if (this.#hasRoutes) {
      const [[route]] = this.#routes.match(METHOD_NAME_ALL, new URL(request.url).pathname);
      if (route !== undefined) return route[0](request);
    }
    return this.#sockjs.fetch(request, info);
  }

  /** Takes a session in, as if it had been dialled. */
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

  /** Forgets a connection that has ended. */
  forget(connection: IncomingConnection): void {
    this.#connections.delete(connection);
    this.#silent.delete(connection);
  }

  /**
   * Takes no new sessions, waits until no request is running, then ends every session.
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

  #accept(session: Session): void {
    this.accept(session);
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

/** True for a `Host` header that names a host; requests without one (HTTP/1.0, HTTP/2) are fine. */
function isHost(host: string | null): boolean {
  return host === null || (HOST.test(host) && URL.canParse(`http://${host}`));
}
