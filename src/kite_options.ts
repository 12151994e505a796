import type { AudienceCheck } from "./auth/audience.ts";
import type { KontrolKeyCheck } from "./auth/kite_key_verifier.ts";
import type { BuiltinPermissions } from "./builtins/mod.ts";
import { CONFIG_NAMES, resolveConfig } from "./config.ts";
import type { Config, ConfigOptions } from "./config_options.ts";
import {
  checkBoolean,
  checkFunction,
  checkLogger,
  checkName,
  checkNames,
  checkOptions,
  checkRange,
  type Checks,
  checkTimeout,
  checkTtl,
  checkUrl,
  checkWait,
  checkWord,
} from "./config_values.ts";
import type { SockJsOptions } from "./transport/sockjs/server/mod.ts";
import type { Logger } from "./log.ts";
import { cannotUse } from "./protocol/refusal.ts";
import { checkOrigins } from "./origins.ts";
import type { MethodHandling } from "./rpc/method.ts";

/** Options of a kite. */
export interface KiteOptions extends ConfigOptions {
  /**
   * The kite's id, a UUID.
   *
   * @default a new one
   */
  readonly id?: string;
  /**
   * Lets anyone call every method.
   *
   * @default false
   */
  readonly disableAuthentication?: boolean;
  /**
   * The origins of web pages that may connect, such as "https://app.example.com"; "*" stands for any.
   * On a kite that is reached from a loopback or private address, methods without authentication answer
   * pages of other origins only if these are listed.
   *
   * @default pages of any origin may connect
   */
  readonly origins?: readonly string[];
  /**
   * Selects the result of a call if hooks return values as well.
   *
   * @default "method"
   */
  readonly methodHandling?: MethodHandling;
  /**
   * Starts each callback immediately, even if earlier asynchronous callbacks have not finished.
   *
   * @default false
   */
  readonly concurrentCallbacks?: boolean;
  /**
   * Uses compact messages with other kites of this library, if both sides allow it. Other peers never
   * receive them.
   *
   * @default true
   */
  readonly compact?: boolean;
  /**
   * Permits built-in methods that use the terminal or the network.
   *
   * @default none
   */
  readonly builtins?: BuiltinPermissions;
  /**
   * Forwards WebRTC signalling messages between callers (`kite.handleWebRTC`).
   *
   * @default false
   */
  readonly webrtc?: boolean;
  /**
   * Decides whether to trust another Kontrol key than the configured one, for `kiteKey`
   * authentication.
   *
   * @default no other key is trusted
   */
  readonly verify?: KontrolKeyCheck;
  /**
   * Decides whether the audience of a token covers this kite.
   *
   * @default the rule of the Go kite
   */
  readonly audience?: AudienceCheck;
  /**
   * Milliseconds for which a replaced Kontrol key is still trusted. The default is longer than the
   * lifetime of tokens that were signed before the change.
   *
   * @default 176_400_000 (49 h)
   */
  readonly keyOverlap?: number;
  /**
   * Trusts a new Kontrol key only if it comes with a handover, which is signed with the current key.
   * Set this to false if Kontrol cannot sign handovers and the kite reaches it over TLS or a trusted
   * network. Set it to true to refuse key changes of such a Kontrol.
   *
   * @default true, unless the kite.key was issued by a Kontrol that signs no handovers, such as Go's
   */
  readonly requireKeyHandover?: boolean;
  /**
   * Accepts tokens that never expire, as the Go kite does.
   *
   * @default false
   */
  readonly allowTokensWithoutExpiry?: boolean;
  /**
   * Milliseconds by which the clocks of two machines may differ.
   *
   * @default 0
   */
  readonly clockTolerance?: number;
  /** Settings of the SockJS transports, such as the path and heartbeats. */
  readonly sockjs?: SockJsOptions;
  /**
   * Logs the start and end of connections at INFO instead of DEBUG.
   *
   * @default false
   */
  readonly logConnections?: boolean;
  /**
   * The logger. Each call is logged at DEBUG if {@linkcode ConfigOptions.logLevel} is "DEBUG".
   *
   * @default a {@linkcode KiteLogger}, which writes lines of text to standard error
   */
  readonly logger?: Logger;
}

/** Options of {@linkcode Kite.close}. */
export interface CloseOptions {
  /**
   * Milliseconds to wait for running calls; 0 does not wait.
   *
   * @default 5_000
   */
  readonly deadline?: number;
}

type OwnOptions = Omit<KiteOptions, keyof ConfigOptions>;

const BUILTIN_CHECKS: Checks<BuiltinPermissions> = Object.freeze({
  "kite.print": checkPermission,
  "kite.prompt": checkPermission,
  "kite.getPass": checkPermission,
  "kite.notify": checkPermission,
  "kite.tunnel": checkPermission,
});

const SOCKJS_CHECKS: Checks<SockJsOptions> = Object.freeze({
  prefix: checkPrefix,
  rawWebSocket: checkBoolean,
  heartbeat: checkTimeout,
  disconnectDelay: checkWait,
  bodyTimeout: checkWait,
  responseLimit: checkRange(1, Infinity),
  cookies: checkBoolean,
  webSocket: checkBoolean,
  clientUrl: checkUrl,
});

const CHECKS: Checks<OwnOptions> = Object.freeze({
  id: checkName,
  disableAuthentication: checkBoolean,
  origins: checkOrigins,
  methodHandling: checkWord(["method", "first", "latest"]),
  concurrentCallbacks: checkBoolean,
  compact: checkBoolean,
  builtins: (name, value) => checkOptions(name, value, BUILTIN_CHECKS),
  webrtc: checkBoolean,
  verify: checkFunction,
  audience: checkFunction,
  keyOverlap: checkRange(0, Infinity),
  requireKeyHandover: checkBoolean,
  allowTokensWithoutExpiry: checkBoolean,
  clockTolerance: checkTtl,
  sockjs: (name, value) => checkOptions(name, value, SOCKJS_CHECKS),
  logConnections: checkBoolean,
  logger: checkLogger,
});

/**
 * Resolves the settings of a kite, see {@linkcode resolveConfig}, and checks its other options.
 *
 * @throws {KiteError} `configError` that names the option, variable or file that cannot be used
 */
export function resolveOptions(
  options: KiteOptions,
  warn: (message: string) => void,
): { config: Config; own: OwnOptions } {
  const names = [...Object.keys(CHECKS), ...CONFIG_NAMES];
  const given = Object.entries(checkNames("", options, names));
  const part = (isOwn: boolean): object =>
    Object.fromEntries(given.filter(([name]) => (name in CHECKS) === isOwn));
  return {
    own: checkOptions("", part(true), CHECKS),
    config: resolveConfig(part(false), { warn }),
  };
}

const CLOSE_CHECKS: Checks<CloseOptions> = Object.freeze({ deadline: checkRange(0, Infinity) });

/**
 * Checks the options of a close.
 *
 * @throws {KiteError} `configError`
 */
export function checkCloseOptions(options: CloseOptions): CloseOptions {
  return checkOptions("close", options, CLOSE_CHECKS);
}

function checkPermission(name: string, value: unknown): unknown {
  if (typeof value === "boolean" || typeof value === "function") return value;
  throw cannotUse(name, "must be true, false or a function of the request", { value });
}

function checkPrefix(name: string, value: unknown): unknown {
  if (value === "" || (typeof value === "string" && /^\/.*[^/]$/.test(value))) return value;
  throw cannotUse(name, "must be a path that begins with a slash and does not end with one", {
    value,
  });
}
