import type { Limits } from "../../../protocol/limits.ts";
import { cannotUse } from "../../../protocol/refusal.ts";
import type { Upgrade } from "../../../runtime/upgrade.ts";
import type { Session } from "../../session.ts";
import {
  callbackOf,
  DOWNSTREAM,
  downstreamHeaders,
  type DownstreamName,
  receive,
} from "./downstream.ts";
import { shakeHands, wantsWebSocket } from "./handshake.ts";
import { cors, noCache, notFound, plain, preflight, sessionCookie } from "./headers.ts";
import { HttpSession } from "./http_session.ts";
import { greeting, IframePage, info } from "./pages.ts";
import { RawWebSocketSession } from "./raw_websocket.ts";
import { IncomingBytes } from "./incoming_bytes.ts";
import { METHODS, type Route, routeOf } from "./router.ts";
import { frameLimit, type ServerSession } from "./session.ts";
import { SessionTable } from "./session_table.ts";
import { acceptMessages } from "./upstream.ts";
import { WebSocketSession } from "./websocket.ts";

const CLOSE_TIMEOUT = 5_000;

/** The options of a {@linkcode SockJsServer}. */
export interface SockJsServerOptions {
  /**
   * The path all routes are under, without a slash at its end; `""` for the root.
   *
   * @default "/kite"
   */
  readonly prefix?: string;
  /**
   * Whether to speak plain WebSocket, one message each, at `prefix/websocket` and to whoever asks
   * for an upgrade at `/`, `prefix` or `prefix/`.
   *
   * @default true
   */
  readonly rawWebsocket?: boolean;
  /**
   * Milliseconds without traffic after which a heartbeat is sent; 0 for none.
   *
   * @default 10_000
   */
  readonly heartbeat?: number;
  /**
   * Milliseconds a session lives without a request of its client that waits.
   *
   * @default 10_000
   */
  readonly disconnectDelay?: number;
  /**
   * Milliseconds in which the body of a request must have arrived.
   *
   * @default the kite's `handshakeTimeout`, else 10_000
   */
  readonly bodyTimeout?: number;
  /**
   * Bytes after which a streaming response is ended, for the client to start another.
   *
   * @default 131_072
   */
  readonly responseLimit?: number;
  /**
   * Whether to set the `JSESSIONID` cookie, by which load balancers keep a client on one server.
   *
   * @default false
   */
  readonly cookies?: boolean;
  /**
   * Whether to offer WebSocket at all; without it, the HTTP transports only.
   *
   * @default true
   */
  readonly websocket?: boolean;
  /**
   * Where the iframe page finds the SockJS client.
   *
   * @default "https://cdnjs.cloudflare.com/ajax/libs/sockjs-client/1.6.1/sockjs.min.js"
   */
  readonly clientUrl?: string;
  /** The bytes of messages and bodies, and the number of sessions, are kept here. */
  readonly limits: Limits;
  /** Hears of each new session. `request` is good during the call only: do not keep it. */
  readonly onSession: (session: Session, request: Request) => void;
  /**
   * Hears of what `onSession` or a session's handler threw; the session is closed with 1011.
   *
   * @default nobody does
   */
  readonly onError?: (error: unknown, session: Session) => void;
}

/** What a server may know of a request beside the request. */
export interface RequestInfo {
  /**
   * The peer's address, `host:port`.
   *
   * @default ""
   */
  readonly remoteAddress?: string;
  /** Sets what is called when the peer leaves before its response is complete. */
  onGone?(listener: () => void): void;
  /** Turns the request into a WebSocket, on runtimes whose `Request` cannot do that. */
  upgrade?(): Upgrade;
}

/** The options of {@linkcode SockJsServer.close}. */
export interface SockJsCloseOptions {
  /**
   * Milliseconds to wait for the peers; those still silent then are let go.
   *
   * @default 5_000
   */
  readonly timeout?: number;
}

/**
 * Serves SockJS 0.3.3, all its transports, and raw WebSockets.
 *
 * @example
 * ```ts
 * import { DEFAULT_LIMITS } from "../../../protocol/limits.ts";
 * import { SockJsServer } from "./mod.ts";
 *
 * const sockjs = new SockJsServer({
 *   prefix: "/echo",
 *   limits: DEFAULT_LIMITS,
 *   onSession: (session) =>
 *     session.attach({ onMessage: (message) => session.send(message), onClose: () => {} }),
 * });
 * const server = Deno.serve({ hostname: "127.0.0.1", port: 0 }, (request) => sockjs.fetch(request));
 * await sockjs.close();
 * await server.shutdown();
 * ```
 */
export class SockJsServer {
  readonly #prefix: string;
  readonly #rawWebsocket: boolean;
  readonly #websocket: boolean;
  readonly #cookies: boolean;
  readonly #onSession: (session: Session, request: Request) => void;
  readonly #iframe: IframePage;
  readonly #table: SessionTable;
  readonly #incoming: IncomingBytes;
  readonly #bodyTimeout: number;
  #closed: Promise<void> | undefined;
  #isRefusing = false;

  /**
   * Makes a server without sessions, to be fed with requests.
   *
   * @throws {KiteError} `configError` when an option makes no sense.
   */
  constructor(options: SockJsServerOptions) {
    this.#prefix = checkedPrefix(options.prefix ?? "/kite");
    this.#websocket = options.websocket ?? true;
    this.#rawWebsocket = this.#websocket && (options.rawWebsocket ?? true);
    this.#cookies = options.cookies ?? false;
    this.#onSession = options.onSession;
    this.#iframe = new IframePage(
      options.clientUrl ??
        "https://cdnjs.cloudflare.com/ajax/libs/sockjs-client/1.6.1/sockjs.min.js",
    );
    this.#incoming = new IncomingBytes(options.limits);
    this.#bodyTimeout = options.bodyTimeout ?? 10_000;
    this.#table = new SessionTable({
      limits: options.limits,
      heartbeat: checkedNumber("heartbeat", options.heartbeat ?? 10_000, 0),
      disconnectDelay: checkedNumber("disconnectDelay", options.disconnectDelay ?? 10_000, 1),
      responseLimit: checkedNumber("responseLimit", options.responseLimit ?? 131_072, 1),
      onError: options.onError ?? (() => {}),
    });
  }

  /** Sessions that are not over. */
  get sessionCount(): number {
    return this.#table.size;
  }

  /**
   * True if a request for that path is for this server.
   *
   * @param upgrade whether the request may be one for a WebSocket: those are taken at `/` too
   */
  handles(pathname: string, upgrade: boolean = true): boolean {
    if (pathname === "/" && this.#prefix !== "") return upgrade && this.#rawWebsocket;
    const path = this.#below(pathname);
    if (path === undefined) return false;
    return this.#prefix !== "" || routeOf(path) !== undefined;
  }

  /** Answers a request. What is not for this server is answered 404. */
  fetch(request: Request, requestInfo: RequestInfo = {}): Response | Promise<Response> {
    const url = new URL(request.url);
    const route = this.#route(url.pathname, request);
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
        return info(request, this.#websocket, this.#cookies);
      case "iframe":
        return this.#iframe.answer(request);
      case "websocket":
      case "rawWebsocket":
        return this.#upgrade(request, route.name, requestInfo);
      case "xhr_send":
      case "jsonp_send":
        return this.#accept(request, route.name, route.session);
      default:
        return this.#receive(request, url, route.name, route.session, requestInfo);
    }
  }

  /** From now on new sessions are refused with 503; those that are there go on. */
  refuseSessions(): void {
    this.#isRefusing = true;
  }

  /**
   * Ends every session with "Go away!"; from now on new ones are refused with 503.
   *
   * @returns settles when all sessions are over, within the timeout
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
        if (this.#rawWebsocket && request.method === "GET" && wantsWebSocket(request)) {
          return { name: "rawWebsocket", session: "" };
        }
        return pathname === "/" && this.#prefix !== "" ? undefined : route;
      case "rawWebsocket":
        return this.#rawWebsocket ? route : undefined;
      case "websocket":
        return this.#websocket ? route : undefined;
      default:
        return route;
    }
  }

  /** What of the path comes after the prefix; `undefined` when it is not under it. */
  #below(pathname: string): string | undefined {
    const prefix = this.#prefix;
    if (!pathname.startsWith(prefix)) return undefined;
    const path = pathname.slice(prefix.length);
    return path === "" || path.startsWith("/") ? path : undefined;
  }

  #upgrade(
    request: Request,
    transport: "websocket" | "rawWebsocket",
    requestInfo: RequestInfo,
  ): Response {
    const remoteAddress = requestInfo.remoteAddress ?? "";
    if (!this.#admits(remoteAddress)) return tooMany();
    const upgrade = shakeHands(request, requestInfo);
    if (upgrade instanceof Response) return upgrade;
    const Transport = transport === "websocket" ? WebSocketSession : RawWebSocketSession;
    const session = this.#table.add((host) => new Transport(host, remoteAddress, upgrade.socket));
    this.#introduce(session, request);
    return upgrade.response;
  }

  #receive(
    request: Request,
    url: URL,
    transport: DownstreamName,
    id: string,
    requestInfo: RequestInfo,
  ): Response {
    const remoteAddress = requestInfo.remoteAddress ?? "";
    const downstream = DOWNSTREAM[transport];
    const headers = downstreamHeaders(request, downstream);
    const callback = downstream.hasCallback ? callbackOf(url.searchParams, headers) : "";
    if (callback instanceof Response) return callback;
    let session = this.#table.find(id);
    if (session === undefined) {
      if (!this.#admits(remoteAddress)) return tooMany(headers);
      session = this.#table.add((host) => new HttpSession(host, remoteAddress, transport, id));
      this.#introduce(session, request);
    }
    if (this.#cookies) sessionCookie(headers, request);
    const receiver = receive(session, downstream, callback, this.#table.responseLimit);
    if (receiver.isOpen) requestInfo.onGone?.(() => receiver.cancel());
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

  #introduce(session: ServerSession, request: Request): void {
    session.guard(() => this.#onSession(session, request));
  }
}

/** Some browsers take an answer without a type for XML, and complain. */
function noContent(headers: Headers): Response {
  headers.set("content-type", "text/plain; charset=UTF-8");
  return new Response(null, { status: 204, headers });
}

function ok(headers: Headers): Response {
  return plain(200, "ok", headers);
}

function tooMany(headers?: Headers): Response {
  return plain(503, "This server takes no more sessions.\n", headers);
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
