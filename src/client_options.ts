import { type BackoffOptions, checkBackoff } from "./backoff.ts";
import {
  checkAnyObject,
  checkBoolean,
  checkFunction,
  checkNames,
  checkOptions,
  checkPems,
  type Checks,
  checkSecret,
  checkWait,
  checkWord,
} from "./config_values.ts";
import type { KiteError } from "./protocol/errors.ts";
import type { KiteIdentity } from "./protocol/identity.ts";
import type { Authentication } from "./rpc/codec.ts";
import type { Connect } from "./transport/custom.ts";
import { CLIENT_TRANSPORTS, type ClientTransport } from "./transport/dial.ts";
import type { CloseInfo } from "./transport/session.ts";

/** Options of a client. */
export interface ClientOptions {
  /**
   * The authentication that each call sends to the remote.
   *
   * @default none
   */
  readonly authentication?: Authentication;
  /**
   * `"auto"` uses SockJS over a WebSocket, or XHR polling if the WebSocket handshake is refused.
   * `"rawWebSocket"` is for a kite.js server with its default transport.
   *
   * @default the kite's `transport`, "auto"
   */
  readonly transport?: ClientTransport;
  /**
   * Opens each session in place of `transport`: over a connection that exists already, or over a
   * transport of your own.
   *
   * @default none: the client dials its URL
   */
  readonly connect?: Connect;
  /**
   * Maximum duration of one attempt to connect, milliseconds.
   *
   * @default the kite's `handshakeTimeout`, 10_000
   */
  readonly handshakeTimeout?: number;
  /**
   * Milliseconds without data or pongs until the connection counts as lost.
   *
   * @default 60_000
   */
  readonly idleTimeout?: number;
  /**
   * Whether to reconnect when the connection is lost, or the delays of doing so.
   *
   * @default false after `dial`, true after `dialForever`
   */
  readonly reconnect?: boolean | BackoffOptions;
  /**
   * What happens to calls that are made while the client dials:
   *
   * - `"wait"`: they wait for the connection within their own timeout.
   * - `"try"`: the same, but before the first connection they fail with `disconnect` as soon as each
   *   URL has failed once.
   * - `"fail"`: they fail immediately with `disconnect`.
   *
   * @default "wait"
   */
  readonly whileDown?: "wait" | "try" | "fail";
  /**
   * Starts each callback immediately, even if earlier asynchronous callbacks have not finished.
   *
   * @default false
   */
  readonly concurrentCallbacks?: boolean;
  /**
   * Uses compact messages if the remote is a kite of this library.
   *
   * @default the kite's `compact`, true
   */
  readonly compact?: boolean;
  /**
   * Certificates of private authorities, PEM, that are trusted in addition to the public ones.
   *
   * @default the kite's `ca`, none
   */
  readonly ca?: string | readonly string[];
  /** The identity of the remote, until it sends its own. */
  readonly identity?: KiteIdentity;
  /**
   * Checks the authentication of calls that the remote makes. By default they are trusted, since this
   * side has chosen whom to dial.
   *
   * @default false
   */
  readonly authenticateRemote?: boolean;
}

/** The state of a client. `"redialling"`: the connection was lost, and the client reconnects. */
export type ClientState = "idle" | "connecting" | "open" | "redialling" | "closed";

/** The events of a client, see the `on` methods of {@linkcode Client}. */
export interface ClientEvents {
  connect: undefined;
  disconnect: CloseInfo & { readonly willRedial: boolean };
  dialError: { readonly error: KiteError; readonly attempt: number };
  giveUp: { readonly attempts: number };
  tokenExpire: KiteError;
  tokenRenew: Authentication;
}

/** What the library adds to a client. */
export interface ClientHooks {
  /** Returns a promise that a call has to wait for. Called for each call on an open connection. */
  readonly beforeCall?: () => Promise<void> | undefined;
}

/** Default options of the clients of a kite. */
export interface ClientDefaults {
  readonly transport: ClientTransport;
  readonly handshakeTimeout: number;
  readonly ca: readonly string[];
}

/** Options of {@linkcode Client.dial}. */
export interface DialOptions {
  /**
   * Maximum duration of the attempt, milliseconds.
   *
   * @default the client's `handshakeTimeout`
   */
  readonly timeout?: number;
  /** Cancels the attempt, which fails with `aborted`. */
  readonly signal?: AbortSignal;
}

/** The checks of the options that a client has in a page, too. */
export const COMMON_CHECKS: Checks<Omit<ClientOptions, "ca" | "authenticateRemote">> = Object
  .freeze({
    authentication: checkAuthentication,
    transport: checkWord(CLIENT_TRANSPORTS),
    connect: checkFunction,
    handshakeTimeout: checkWait,
    idleTimeout: checkWait,
    reconnect: checkReconnect,
    whileDown: checkWord(["wait", "try", "fail"]),
    concurrentCallbacks: checkBoolean,
    compact: checkBoolean,
    identity: checkAnyObject,
  });

const DIAL_CHECKS: Checks<DialOptions> = Object.freeze({
  timeout: checkWait,
  signal: checkAnyObject,
});

/**
 * Checks the options of a client.
 *
 * @throws {KiteError} `configError`
 */
export function checkClientOptions(options: ClientOptions): ClientOptions {
  return checkOptions<ClientOptions>("", options, {
    ...COMMON_CHECKS,
    ca: checkPems,
    authenticateRemote: checkBoolean,
  });
}

/**
 * Checks the options of a dial.
 *
 * @throws {KiteError} `configError`
 */
export function checkDialOptions(options: DialOptions): DialOptions {
  return checkOptions("dial", options, DIAL_CHECKS);
}

/** Checks a type and a key. The key is never shown. */
export function checkAuthentication(name: string, value: unknown): Authentication {
  const { type, key } = checkNames(name, value, ["type", "key"]);
  return { type: checkSecret(`${name}.type`, type), key: checkSecret(`${name}.key`, key) };
}

function checkReconnect(name: string, value: unknown): boolean | BackoffOptions {
  return typeof value === "boolean" ? value : checkBackoff(name, value);
}
