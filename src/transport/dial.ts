/**
 * The client side of all transports: {@linkcode dialOver} opens a {@linkcode Session}. What opens its
 * sockets is the caller's choice, so that pages do not load what only servers need.
 *
 * @module
 */
import type { Limits } from "../protocol/limits.ts";
import type { HttpClient } from "../runtime/http_client.ts";
import { attempt } from "./attempt.ts";
import type { Session } from "./session.ts";
import { RAW_FRAMING } from "./websocket/raw_framing.ts";
import { HandshakeRefused, type OpenSocket } from "./websocket/socket.ts";
import { SOCKJS_FRAMING } from "./sockjs/client/sockjs_framing.ts";
import { displayUrl, newSessionPath, noKiteAt, parseKiteUrl, transportUrl } from "./url.ts";
import { dialWebSocket, type WebSocketDial } from "./websocket/session.ts";
import { openXhrSocket, XHR_FRAMING, type XhrOptions } from "./sockjs/client/xhr.ts";

/**
 * How to reach a kite. `auto` uses SockJS over a WebSocket, or over XHR polling if the server refuses
 * the WebSocket. `rawWebSocket` uses a WebSocket without SockJS, for kite.js servers of that kind.
 */
export type ClientTransport = "auto" | "WebSocket" | "XHRPolling" | "rawWebSocket";

/** Options of {@linkcode dialSession}. */
export interface DialOptions {
  /** @default "auto" */
  readonly transport?: ClientTransport;
  /**
   * Milliseconds for dialling, including a fallback and the opening of the session.
   *
   * @default 10_000
   */
  readonly handshakeTimeout?: number;
  /**
   * Milliseconds of silence (no frames, and over WebSocket no pongs) after which the session ends with
   * close code 1006. XHR polling cannot ping, so this must be longer than the server's heartbeat
   * there (10 s for the Go kite, 25 s for kite.js).
   *
   * @default 60_000
   */
  readonly idleTimeout?: number | undefined;
  /**
   * Certificates of private authorities, PEM, trusted in addition to the public ones.
   *
   * @default none
   */
  readonly ca?: string | readonly string[];
  /**
   * True if the URL is the WebSocket URL of one SockJS session, as tunnel proxies provide it. It is
   * then dialled unchanged.
   *
   * @default false
   */
  readonly isSessionUrl?: boolean;
  /** `messageBytes` limits incoming messages, `outgoingBytes` the data waiting to be sent. */
  readonly limits: Pick<Limits, "messageBytes" | "outgoingBytes">;
  /** Aborts dialling. No effect once the session is open. */
  readonly signal?: AbortSignal;
  /** Additional HTTP headers of each request. Browsers cannot set headers of WebSockets. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The `Origin` header. Only browsers have to send one: behind a proxy that changes the host, a kite
   * would take the sender of any other origin than its own for a web page.
   *
   * @default none
   */
  readonly origin?: string;
}

/** Every {@linkcode ClientTransport}. */
export const CLIENT_TRANSPORTS: readonly ClientTransport[] = Object.freeze([
  "auto",
  "WebSocket",
  "XHRPolling",
  "rawWebSocket",
]);
const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;
const DEFAULT_IDLE_TIMEOUT = 60_000;

/** Opens the connections of sessions. */
export interface Network {
  /** The HTTP headers of each request; browsers set their own. */
  headers(options: DialOptions): Headers;
  readonly openSocket: OpenSocket;
  /**
   * Opens a pool of HTTP connections.
   *
   * @param ca certificates of private authorities, PEM
   */
  openHttp(ca: readonly string[]): HttpClient;
}

/** Dials a session, see {@linkcode dialOver}. */
export type DialSession = (url: string | URL, options: DialOptions) => Promise<Session>;

/**
 * Dials a session.
 *
 * @param network opens the connections
 * @param url the URL of the kite: `http:`, `https:`, `ws:` or `wss:`, with an optional query.
 * @param options not checked, except for headers
 * @throws {KiteError} `configError` for an invalid URL or header; `sendError` if the kite cannot be
 * reached or refuses; `timeout` after `handshakeTimeout`; `aborted` if the signal is aborted.
 */
export async function dialOver(
  network: Network,
  url: string | URL,
  options: DialOptions,
): Promise<Session> {
  const base = parseKiteUrl(url);
  const headers = network.headers(options);
  const { handshakeTimeout = DEFAULT_HANDSHAKE_TIMEOUT, signal } = options;
  return await attempt(displayUrl(base), { handshakeTimeout, signal }, async (signal) => {
    const { transport, idleTimeout = DEFAULT_IDLE_TIMEOUT, limits } = options;
    const ca = typeof options.ca === "string" ? [options.ca] : options.ca ?? [];
    const dial = { ...network, headers, idleTimeout, ca, limits, signal };
    if (options.isSessionUrl) return await dialWebSocket(base, SOCKJS_FRAMING, dial);
    if (transport === "rawWebSocket") return await dialRaw(base, dial);
    if (transport === "XHRPolling") return await dialXhr(base, dial);
    return await dialSockJs(base, dial, transport !== "WebSocket");
  });
}

async function dialRaw(base: URL, dial: WebSocketDial): Promise<Session> {
  try {
    return await dialWebSocket(base, RAW_FRAMING, dial);
  } catch (error) {
    throw error instanceof HandshakeRefused && error.status === 404 ? noKiteAt(base, error) : error;
  }
}

async function dialXhr(base: URL, dial: WebSocketDial & XhrOptions): Promise<Session> {
  return await dialWebSocket(base, XHR_FRAMING, {
    ...dial,
    openSocket: (url, options, handler) => openXhrSocket(url, dial, options, handler),
  });
}

async function dialSockJs(
  base: URL,
  dial: WebSocketDial & XhrOptions,
  fallBack: boolean,
): Promise<Session> {
  const url = transportUrl(base, newSessionPath(), "websocket");
  try {
    return await dialWebSocket(url, SOCKJS_FRAMING, dial);
  } catch (error) {
    if (!(error instanceof HandshakeRefused)) throw error;
    if (error.status === 404 && base.pathname === "/") throw noKiteAt(base, error);
    if (!fallBack) throw error.status === 404 ? noKiteAt(base, error) : error;
    return await dialXhr(base, dial);
  }
}
