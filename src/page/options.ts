import { checkAuthentication, type ClientOptions, COMMON_CHECKS } from "../client_options.ts";
import {
  checkAnyObject,
  checkLimits,
  checkLogger,
  checkName,
  checkOptions,
  type Checks,
  checkUrls,
  checkWait,
  checkWord,
} from "../config_values.ts";
import type { Logger } from "../log.ts";
import { LOG_LEVELS, type LogLevel } from "../log_level.ts";
import type { Limits } from "../protocol/limits.ts";
import type { Authentication } from "../rpc/codec.ts";
import type { CompactMessages } from "./compact.ts";
import { CLIENT_TRANSPORTS, type ClientTransport } from "../transport/dial.ts";

/** The settings of a kite in a web page. */
export interface KiteOptions {
  /**
   * The user of the page.
   *
   * @default "unknown"
   */
  readonly username?: string;
  /**
   * Such as "production" or "testing".
   *
   * @default "unknown"
   */
  readonly environment?: string;
  /**
   * Where the page runs, such as "europe".
   *
   * @default "unknown"
   */
  readonly region?: string;
  /**
   * The kite's id, a UUID.
   *
   * @default a new one
   */
  readonly id?: string;
  /**
   * Kontrol's URL, or several of one Kontrol.
   *
   * @default none
   */
  readonly kontrolUrl?: string | readonly string[];
  /**
   * What the page shows to Kontrol. Give pages an authentication that expires soon, not a kite.key.
   *
   * @default none
   */
  readonly kontrolAuthentication?: Authentication;
  /**
   * How clients connect, unless they have a `transport` of their own.
   *
   * @default "auto": a WebSocket, or XHR polling where no WebSocket can be opened
   */
  readonly transport?: ClientTransport;
  /**
   * Milliseconds that a call waits for its answer, unless it has a `timeout` of its own.
   *
   * @default 15_000
   */
  readonly timeout?: number;
  /**
   * Milliseconds that an attempt to connect may take.
   *
   * @default 10_000
   */
  readonly handshakeTimeout?: number;
  /**
   * Uses compact messages with other kites of this library: {@linkcode compactMessages}. They save the
   * identity and the token in each call, and time.
   *
   * @default none
   */
  readonly compact?: CompactMessages;
  /**
   * This level and those before it are logged.
   *
   * @default "INFO"
   */
  readonly logLevel?: LogLevel;
  /**
   * A logger of your own.
   *
   * @default lines of text on the console
   */
  readonly logger?: Logger;
  /** Limits other than the defaults. */
  readonly limits?: Partial<Limits>;
}

/**
 * The options of a client in a page. Its browser decides which authorities it trusts, and calls of the
 * remotes that it dials are not authenticated.
 */
export type PageClientOptions = Omit<ClientOptions, "ca" | "authenticateRemote">;

const CHECKS: Checks<KiteOptions> = Object.freeze({
  username: checkName,
  environment: checkName,
  region: checkName,
  id: checkName,
  kontrolUrl: checkUrls,
  kontrolAuthentication: checkAuthentication,
  transport: checkWord(CLIENT_TRANSPORTS),
  timeout: checkWait,
  handshakeTimeout: checkWait,
  compact: checkAnyObject,
  logLevel: checkWord(LOG_LEVELS),
  logger: checkLogger,
  limits: checkLimits,
});

/**
 * Checks the options of a kite in a page.
 *
 * @throws {KiteError} `configError` that names the option and what it accepts
 */
export function checkPageOptions(
  options: KiteOptions,
): Omit<KiteOptions, "kontrolUrl"> & { readonly kontrolUrl?: readonly string[] } {
  return checkOptions("", options, CHECKS) as ReturnType<typeof checkPageOptions>;
}

/**
 * Checks the options of a client in a page.
 *
 * @throws {KiteError} `configError` that names the option and what it accepts
 */
export function checkPageClientOptions(options: PageClientOptions): PageClientOptions {
  return checkOptions("", options, COMMON_CHECKS);
}
