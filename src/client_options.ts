import { type BackoffOptions, checkBackoff } from "./backoff.ts";
import {
  checkAnyObject,
  checkBoolean,
  checkNames,
  checkOptions,
  checkPems,
  type Checks,
  checkSecret,
  checkWait,
  checkWord,
} from "./config_values.ts";
import type { KiteIdentity } from "./protocol/identity.ts";
import type { Authentication } from "./rpc/codec.ts";
import { CLIENT_TRANSPORTS, type ClientTransport } from "./transport/dial.ts";

/** How a client connects, what it shows, and what it does when the connection goes. */
export interface ClientOptions {
  /**
   * What each call shows to the remote.
   *
   * @default none
   */
  readonly authentication?: Authentication;
  /**
   * `"auto"` speaks SockJS over WebSocket and falls back to XHR polling when the WebSocket handshake
   * is refused; `"rawWebSocket"` is for a kite.js server with its default transport.
   * @default the kite's `transport`, "auto"
   */
  readonly transport?: ClientTransport;
  /**
   * Milliseconds that one try to connect may take.
   *
   * @default the kite's `handshakeTimeout`, 10_000
   */
  readonly handshakeTimeout?: number;
  /**
   * Milliseconds without a sign of life until the connection counts as lost.
   *
   * @default 60_000
   */
  readonly idleTimeout?: number;
  /**
   * Dial again when the connection goes; with options for the delays.
   * @default false after `dial`, true after `dialForever`
   */
  readonly reconnect?: boolean | BackoffOptions;
  /**
   * What happens to calls made while a connection is being dialled: they wait, within their own
   * timeout (`"wait"`); they wait, but fail with `disconnect` when no URL can be reached at first
   * (`"try"`); or they fail at once (`"fail"`).
   * @default "wait"
   */
  readonly whileDown?: "wait" | "try" | "fail";
  /**
   * Start callbacks without waiting for an async one before them to finish.
   *
   * @default false
   */
  readonly concurrentCallbacks?: boolean;
  /**
   * Use compact messages if the remote is a kite of this library.
   *
   * @default the kite's `compact`, true
   */
  readonly compact?: boolean;
  /**
   * Certificates of private authorities, PEM, that are trusted beside the public ones.
   * @default the kite's `ca`, none
   */
  readonly ca?: string | readonly string[];
  /** Who the remote is, until it says so itself. */
  readonly identity?: KiteIdentity;
  /**
   * Check the authentication of calls that the remote makes to us, although we dialled it.
   *
   * @default false
   */
  readonly authenticateRemote?: boolean;
}

/** Where a client stands. */
export type ClientState = "idle" | "connecting" | "open" | "redialling" | "closed";

/** What else the library does with a client's calls. */
export interface ClientHooks {
  /** What a call has to wait for before it is sent; asked for each call on an open connection. */
  readonly beforeCall?: () => Promise<void> | undefined;
}

/** What holds for the clients of a kite whose options do not say otherwise. */
export interface ClientDefaults {
  readonly transport: ClientTransport;
  readonly handshakeTimeout: number;
  readonly ca: readonly string[];
}

/** How {@linkcode Client.dial} connects. */
export interface DialOptions {
  /**
   * Milliseconds that the try may take.
   *
   * @default the client's `handshakeTimeout`
   */
  readonly timeout?: number;
  /** Gives the try up: it fails with `aborted`. */
  readonly signal?: AbortSignal;
}

const CHECKS: Checks<ClientOptions> = Object.freeze({
  authentication: checkAuthentication,
  transport: checkWord(CLIENT_TRANSPORTS),
  handshakeTimeout: checkWait,
  idleTimeout: checkWait,
  reconnect: checkReconnect,
  whileDown: checkWord(["wait", "try", "fail"]),
  concurrentCallbacks: checkBoolean,
  compact: checkBoolean,
  ca: checkPems,
  identity: checkAnyObject,
  authenticateRemote: checkBoolean,
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
  return checkOptions("", options, CHECKS);
}

/**
 * Checks the options of a dial.
 *
 * @throws {KiteError} `configError`
 */
export function checkDialOptions(options: DialOptions): DialOptions {
  return checkOptions("dial", options, DIAL_CHECKS);
}

function checkAuthentication(name: string, value: unknown): Authentication {
  const { type, key } = checkNames(name, value, ["type", "key"]);
  return { type: checkSecret(`${name}.type`, type), key: checkSecret(`${name}.key`, key) };
}

function checkReconnect(name: string, value: unknown): boolean | BackoffOptions {
  return typeof value === "boolean" ? value : checkBackoff(name, value);
}
