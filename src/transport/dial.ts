/**
 * The client's side of every transport: {@linkcode dialSession} gives a {@linkcode Session}.
 *
 * @module
 */
import { KiteError } from "../protocol/errors.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Session } from "./session.ts";
import { RAW_FRAMING } from "./websocket/raw_framing.ts";
import { HandshakeRefused } from "./websocket/socket.ts";
import { SOCKJS_FRAMING } from "./sockjs/client/sockjs_framing.ts";
import { displayUrl, newSessionPath, parseKiteUrl, transportUrl } from "./url.ts";
import { dialWebSocket } from "./websocket/session.ts";
import { dialXhr } from "./sockjs/client/xhr.ts";

/**
 * How to reach a kite. `auto` is SockJS over a WebSocket, or over XHR polling when the server refuses
 * the WebSocket; `rawWebSocket` is a WebSocket without SockJS, for kite.js' WebSocket servers.
 */
export type ClientTransport = "auto" | "WebSocket" | "XHRPolling" | "rawWebSocket";

/** How to dial. */
export interface DialOptions {
  /** @default "auto" */
  readonly transport?: ClientTransport;
  /** Milliseconds for the whole dial, a fallback and the session's opening included. @default 10_000 */
  readonly handshakeTimeout?: number;
  /**
   * Milliseconds without a sign of life (frames, and over WebSocket pongs to our own pings) after
   * which the session counts as lost, with close code 1006. XHR polling cannot ping: keep it above
   * the server's heartbeat there (10 s for the Go kite, 25 s for kite.js). @default 60_000
   */
  readonly idleTimeout?: number;
  /**
   * The URL is that of one session's WebSocket already, as a tunnel proxy hands it out: it is dialled
   * as it is, and spoken SockJS over. @default false
   */
  readonly isSessionUrl?: boolean;
  /** `messageBytes` bounds what is read, `outgoingBytes` what waits to be sent. */
  readonly limits: Pick<Limits, "messageBytes" | "outgoingBytes">;
  /** Gives the dial up. Without effect on a session once it is open. */
  readonly signal?: AbortSignal;
  /** Further HTTP headers of each request; browsers let none be set on a WebSocket. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The `Origin` header. @default scheme and host of the URL, as the Go kite's client sends it */
  readonly origin?: string;
}

const TRANSPORTS: readonly ClientTransport[] = ["auto", "WebSocket", "XHRPolling", "rawWebSocket"];
const DEFAULT_HANDSHAKE_TIMEOUT = 10_000;
const DEFAULT_IDLE_TIMEOUT = 60_000;

/**
 * Dials a session.
 *
 * @param url of the kite, `http:`, `https:`, `ws:` or `wss:`; its query stays the query.
 * @throws {KiteError} `configError` for a bad URL or option; `sendError` when the kite cannot be
 * reached or refuses; `timeout` after `handshakeTimeout`; `aborted` when the signal says so.
 *
 * @example
 * ```ts ignore
 * const session = await dialSession("http://localhost:3636/kite", { limits: DEFAULT_LIMITS });
 * session.attach({ onMessage: (message) => console.log(message), onClose: () => {} });
 * ```
 */
export async function dialSession(url: string | URL, options: DialOptions): Promise<Session> {
  const base = parseKiteUrl(url);
  const transport = options.transport ?? "auto";
  if (!TRANSPORTS.includes(transport)) {
    throw new KiteError(
      "configError",
      `The transport "${transport}" is unknown; it should be one of ${TRANSPORTS.join(", ")}`,
    );
  }
  const timeout = milliseconds(
    "handshakeTimeout",
    options.handshakeTimeout,
    DEFAULT_HANDSHAKE_TIMEOUT,
  );
  const idleTimeout = milliseconds("idleTimeout", options.idleTimeout, DEFAULT_IDLE_TIMEOUT);
  const headers = headersOf(base, options);

  const attempt = new AbortController();
  const shown = displayUrl(base);
  const timer = setTimeout(() => {
    attempt.abort(new KiteError("timeout", `No session with ${shown} within ${timeout} ms`));
  }, timeout);
  const { signal } = options;
  const abort = () => {
    attempt.abort(
      new KiteError("aborted", `Dialling ${shown} was aborted`, { cause: signal?.reason }),
    );
  };
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  try {
    attempt.signal.throwIfAborted();
    const dial = { headers, idleTimeout, limits: options.limits, signal: attempt.signal };
    if (options.isSessionUrl) return await dialWebSocket(base, SOCKJS_FRAMING, dial);
    if (transport === "rawWebSocket") return await dialWebSocket(base, RAW_FRAMING, dial);
    if (transport === "XHRPolling") return await dialXhr(base, dial);
    return await dialSockJs(base, dial, transport === "auto");
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

async function dialSockJs(
  base: URL,
  dial: Parameters<typeof dialXhr>[1],
  fallBack: boolean,
): Promise<Session> {
  const url = transportUrl(base, newSessionPath(), "websocket");
  try {
    return await dialWebSocket(url, SOCKJS_FRAMING, dial);
  } catch (error) {
    if (!fallBack || !(error instanceof HandshakeRefused)) throw error;
    return await dialXhr(base, dial);
  }
}

function headersOf(base: URL, { headers, origin }: DialOptions): Headers {
  let all: Headers;
  try {
    all = new Headers({ ...headers });
    if (!all.has("origin") || origin !== undefined) all.set("origin", origin ?? base.origin);
  } catch {
    // The reason would show the header's value, which may be a secret.
    throw new KiteError(
      "configError",
      "headers or origin: a name or a value is not allowed in HTTP; both should be printable text",
    );
  }
  return all;
}

function milliseconds(name: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback;
  if (Number.isFinite(value) && value > 0 && value <= 0x7fff_ffff) return value;
  throw new KiteError(
    "configError",
    `${name} is ${value}; it should be a number of milliseconds from 1 to 2147483647`,
  );
}
