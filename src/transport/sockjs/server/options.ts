import type { Limits } from "../../../protocol/limits.ts";
import type { TakenOver } from "../../../runtime/serving.ts";
import type { Upgrade } from "../../../runtime/upgrade.ts";
import type { Session } from "../../session.ts";

/** Settings of the SockJS transports of a kite. */
export interface SockJsOptions {
  /**
   * The path of all routes, without a trailing slash; `""` for the root.
   *
   * @default "/kite"
   */
  readonly prefix?: string;
  /**
   * Whether to accept WebSockets without SockJS at `prefix/websocket`, and for upgrade requests at `/`,
   * `prefix` and `prefix/`.
   *
   * @default true
   */
  readonly rawWebSocket?: boolean;
  /**
   * Milliseconds without traffic after which a heartbeat is sent; 0 for none.
   *
   * @default 10_000
   */
  readonly heartbeat?: number;
  /**
   * Milliseconds until an HTTP session ends whose client has no waiting request.
   *
   * @default 10_000
   */
  readonly disconnectDelay?: number;
  /**
   * Milliseconds within which the body of a request must arrive.
   *
   * @default the kite's `handshakeTimeout`, else 10_000
   */
  readonly bodyTimeout?: number;
  /**
   * Bytes after which a streaming response ends; the client then starts another one.
   *
   * @default 131_072
   */
  readonly responseLimit?: number;
  /**
   * Whether to set the `JSESSIONID` cookie, which load balancers use to bind a client to one server.
   *
   * @default false
   */
  readonly cookies?: boolean;
  /**
   * Whether to accept WebSockets. Otherwise, only the HTTP transports are available.
   *
   * @default true
   */
  readonly webSocket?: boolean;
  /**
   * The URL of the SockJS client for the iframe page.
   *
   * @default "https://cdnjs.cloudflare.com/ajax/libs/sockjs-client/1.6.1/sockjs.min.js"
   */
  readonly clientUrl?: string;
}

/** The options of a {@linkcode SockJsServer}. */
export interface SockJsServerOptions extends SockJsOptions {
  /** The limits of messages, bodies and sessions. */
  readonly limits: Limits;
  /** Called for each new session. Do not use `request` after the call. */
  readonly onSession: (
    session: Session,
    request: Request,
    foreignOrigin: string | undefined,
  ) => void;
  /**
   * Returns the origin of a page of another origin that opens a session, for `onSession`. Called before
   * a request is upgraded, since some runtimes close it then.
   *
   * @default no session has one
   */
  readonly foreignOrigin?: (request: Request, remoteAddress: string) => string | undefined;
  /**
   * Called with errors that `onSession` or a session's handler throws. The session closes with 1011.
   *
   * @default errors are ignored
   */
  readonly onError?: (error: unknown, session: Session) => void;
}

/** The sender of a request. */
export interface RequestInfo {
  /**
   * The peer's address, `host:port`.
   *
   * @default ""
   */
  readonly remoteAddress?: string;
  /** Sets a listener that is called if the peer leaves before its response is complete. */
  onGone?(listener: () => void): void;
  /** Upgrades the request to a WebSocket, on runtimes whose `Request` cannot be upgraded. */
  upgrade?(): Upgrade;
}

/** The sender of a request to a server of this library. */
export interface ServerPeer extends RequestInfo {
  /** Takes over the connection of the request. */
  takeOver?(): TakenOver | undefined;
}

/** The options of {@linkcode SockJsServer.close}. */
export interface SockJsCloseOptions {
  /**
   * Milliseconds to wait for the peers to close.
   *
   * @default 5_000
   */
  readonly timeout?: number;
}
