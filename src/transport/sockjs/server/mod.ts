import { cannotUse } from "../../../protocol/refusal.ts";
import {
  callbackOf,
  DOWNSTREAM,
  downstreamHeaders,
  type DownstreamName,
  receive,
} from "./downstream.ts";
import { upgrade, wantsWebSocket } from "./handshake.ts";
import { cors, noCache, notFound, plain, preflight, sessionCookie } from "./headers.ts";
import { HttpSession } from "./http_session.ts";
import { greeting, IframePage, info } from "./pages.ts";
import { RawWebSocketServerSession } from "./raw_websocket.ts";
import { frameLimit, IncomingBytes } from "./incoming_bytes.ts";
import type { ServerPeer, SockJsCloseOptions, SockJsServerOptions } from "./options.ts";
import { METHODS, type Route, routeOf } from "./router.ts";
import type { ServerSession } from "./session.ts";
import { SessionTable } from "./session_table.ts";
import { pathnameOf } from "../../url.ts";
import { acceptMessages } from "./upstream.ts";
import { WebSocketServerSession } from "./websocket.ts";

export type { RequestInfo, SockJsOptions, SockJsServerOptions } from "./options.ts";

const CLOSE_TIMEOUT = 5_000;

/**
 * Serves SockJS 0.3.3 with all its transports, and WebSockets without SockJS.
 *
 * @example
 * ```ts
 * import { DEFAULT_LIMITS } from "../../../protocol/limits.ts";
 * import { SockJsServer } from "./mod.ts";
 *
 * const sockjs = new SockJsServer({
 *   prefix: "/thanks",
 *   limits: DEFAULT_LIMITS,
 *   onSession: (session) =>
 *     session.attach({ onMessage: () => session.send("thanks"), onClose: () => {} }),
 * });
 * const server = Deno.serve({ hostname: "127.0.0.1", port: 0 }, (request) => sockjs.fetch(request));
 * await sockjs.close();
 * await server.shutdown();
 * ```
 */
export class SockJsServer {
  readonly #prefix: string;
  readonly #rawWebSocket: boolean;
  readonly #webSocket: boolean;
  readonly #cookies: boolean;
  readonly #onSession: SockJsServerOptions["onSession"];
  readonly #foreignOrigin: SockJsServerOptions["foreignOrigin"];
  readonly #iframe: IframePage;
  readonly #table: SessionTable;
  readonly #incoming: IncomingBytes;
  readonly #bodyTimeout: number;
  #closed: Promise<void> | undefined;
  #isRefusing = false;

  /**
   * Creates a server. Pass requests to {@linkcode SockJsServer.fetch}.
   *
   * @throws {KiteError} `configError` for an invalid option.
   */
  constructor(options: SockJsServerOptions) {
    this.#prefix = checkedPrefix(options.prefix ?? "/kite");
    this.#webSocket = options.webSocket ?? true;
    this.#rawWebSocket = this.#webSocket && (options.rawWebSocket ?? true);
    this.#cookies = options.cookies ?? false;
    this.#onSession = options.onSession;
    this.#foreignOrigin = options.foreignOrigin;
    this.#iframe = new IframePage(
      options.clientUrl ??
        "https://cdnjs.cloudflare.com/ajax/libs/sockjs-client/1.6.1/sockjs.min.js",
    );
    this.#incoming = new IncomingBytes(options.limits);
    this.#bodyTimeout = options.bodyTimeout ?? 10_000;
    this.#table = new SessionTable({
      limits: options.limits,
      incoming: this.#incoming,
      heartbeat: checkedNumber("heartbeat", options.heartbeat ?? 10_000, 0),
      disconnectDelay: checkedNumber("disconnectDelay", options.disconnectDelay ?? 10_000, 1),
      responseLimit: checkedNumber("responseLimit", options.responseLimit ?? 131_072, 1),
      onError: options.onError ?? (() => {}),
    });
  }

  /** The number of open sessions. */
  get sessionCount(): number {
    return this.#table.size;
  }

  /** Answers a request; 404 for unknown paths. */
  fetch(request: Request, peer: ServerPeer = {}): Response | Promise<Response> {
    const route = this.#route(pathnameOf(request.url), request);
    if (route === undefined) return notFound();
    const methods = METHODS[route.name];
    if (!methods.includes(request.method)) {
      return new Response(null, { status: 405, headers: { allow: methods.join(", ") } });
    }
    if (request.method === "OPTIONS") return preflight(request, methods.join(", "));
    switch (route.name) {
      case "root":
        return greeting();
      case "info":
        return info(request, this.#webSocket, this.#cookies);
      case "iframe":
        return this.#iframe.answer(request);
      case "websocket":
      case "rawWebSocket":
        return this.#upgrade(request, route.name, peer);
      case "xhr_send":
      case "jsonp_send":
        return this.#accept(request, route.name, route.session);
      default:
        return this.#receive(request, route.name, route.session, peer);
    }
  }

  /** Refuses new sessions with 503 from now on. Existing sessions continue. */
  refuseSessions(): void {
    this.#isRefusing = true;
  }

  /**
   * Ends all sessions with "Go away!", and refuses new ones with 503.
   *
   * @returns resolves when all sessions have ended, or after the timeout
   */
  close(options: SockJsCloseOptions = {}): Promise<void> {
    this.#closed ??= this.#table.close(options.timeout ?? CLOSE_TIMEOUT);
    return this.#closed;
  }

  #route(pathname: string, request: Request): Route | undefined {
    const path = pathname === "/" ? "/" : this.#below(pathname);
    const route = path === undefined ? undefined : routeOf(path);
    switch (route?.name) {
      case "root":
        if (this.#rawWebSocket && request.method === "GET" && wantsWebSocket(request)) {
          return { name: "rawWebSocket", session: "" };
        }
        return pathname === "/" && this.#prefix !== "" ? undefined : route;
      case "rawWebSocket":
        return this.#rawWebSocket ? route : undefined;
      case "websocket":
        return this.#webSocket ? route : undefined;
      default:
        return route;
    }
  }

  /** Returns the part of the path after the prefix; `undefined` if it has another prefix. */
  #below(pathname: string): string | undefined {
    const prefix = this.#prefix;
    if (!pathname.startsWith(prefix)) return undefined;
    const path = pathname.slice(prefix.length);
    return path === "" || path.startsWith("/") ? path : undefined;
  }

  #upgrade(
    request: Request,
    transport: "websocket" | "rawWebSocket",
    peer: ServerPeer,
  ): Response {
    const remoteAddress = peer.remoteAddress ?? "";
    if (!this.#admits(remoteAddress)) return tooMany();
    const foreignOrigin = this.#foreignOrigin?.(request, remoteAddress);
    const upgraded = upgrade(request, peer);
    if (upgraded instanceof Response) return upgraded;
    const Transport = transport === "websocket"
      ? WebSocketServerSession
      : RawWebSocketServerSession;
    const session = this.#table.add((host) => new Transport(host, remoteAddress));
    this.#introduce(session, request, foreignOrigin);
    session.use((handler) => upgraded.open(handler, this.#table.limits));
    return upgraded.response;
  }

  #receive(
    request: Request,
    transport: DownstreamName,
    id: string,
    peer: ServerPeer,
  ): Response {
    const remoteAddress = peer.remoteAddress ?? "";
    const downstream = DOWNSTREAM[transport];
    const headers = downstreamHeaders(request, downstream);
    const callback = downstream.hasCallback
      ? callbackOf(new URL(request.url).searchParams, headers)
      : "";
    if (callback instanceof Response) return callback;
    let session = this.#table.find(id);
    if (session === undefined) {
      if (!this.#admits(remoteAddress)) return tooMany(headers);
      session = this.#table.add((host) =>
        new HttpSession(host, remoteAddress, downstream.transport, id)
      );
      this.#introduce(session, request, this.#foreignOrigin?.(request, remoteAddress));
    }
    if (this.#cookies) sessionCookie(headers, request);
    const receiver = receive(session, downstream, callback, this.#table.responseLimit);
    if (receiver.isOpen) peer.onGone?.(() => receiver.cancel());
    headers.set("content-type", downstream.contentType);
    return receiver.respond(headers);
  }

  #accept(request: Request, name: "xhr_send" | "jsonp_send", id: string): Promise<Response> {
    const isXhr = name === "xhr_send";
    const headers = new Headers();
    noCache(headers);
    if (isXhr) cors(headers, request);
    if (this.#cookies) sessionCookie(headers, request);
    return acceptMessages(request, headers, {
      find: () => this.#table.find(id),
      limit: frameLimit(this.#table.limits),
      timeout: this.#bodyTimeout,
      incoming: this.#incoming,
      field: isXhr ? undefined : "d",
      accepted: isXhr ? noContent : ok,
    });
  }

  #admits(remoteAddress: string): boolean {
    if (this.#isRefusing || this.#closed !== undefined) return false;
    return this.#table.makeRoom(remoteAddress);
  }

  #introduce(session: ServerSession, request: Request, foreignOrigin: string | undefined): void {
    session.guard(() => this.#onSession(session, request, foreignOrigin));
  }
}

/** Sets a content type, since some browsers parse answers without one as XML and report errors. */
function noContent(headers: Headers): Response {
  headers.set("content-type", "text/plain; charset=UTF-8");
  return new Response(null, { status: 204, headers });
}

function ok(headers: Headers): Response {
  return plain(200, "ok", headers);
}

function tooMany(headers?: Headers): Response {
  return plain(503, "This server accepts no more sessions.\n", headers);
}

function checkedPrefix(prefix: string): string {
  if (prefix === "" || (prefix.startsWith("/") && !prefix.endsWith("/"))) return prefix;
  const rule = "must be empty, or begin with a slash and not end with one";
  throw cannotUse("prefix", rule, { value: prefix });
}

function checkedNumber(name: string, value: number, least: number): number {
  if (value >= least) return value;
  throw cannotUse(name, `must be a number of at least ${least}`, { value });
}
