import type { AudienceCheck } from "./auth/audience.ts";
import type { KontrolKeyCheck } from "./auth/kite_key_verifier.ts";
import type { BuiltinPermissions } from "./builtins/mod.ts";
import { type Config, CONFIG_NAMES, type ConfigOptions, resolveConfig } from "./config.ts";
import {
  checkAnyObject,
  checkBoolean,
  checkFunction,
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
import type { MethodHandling } from "./rpc/method.ts";

/** The settings of a kite: where and as whom it runs, whom it trusts, how it serves. */
export interface KiteOptions extends ConfigOptions {
  /**
   * The kite's id, a UUID.
   *
   * @default a new one
   */
  readonly id?: string;
  /**
   * Let anyone call every method.
   *
   * @default false
   */
  readonly disableAuthentication?: boolean;
  /**
   * Whose result answers a call when hooks return something too.
   *
   * @default "method"
   */
  readonly methodHandling?: MethodHandling;
  /**
   * Start callbacks without waiting for an async one before them to finish.
   *
   * @default false
   */
  readonly concurrentCallbacks?: boolean;
  /**
   * Use compact messages with other kites of this library, once both sides have named them. Other
   * peers never see them.
   *
   * @default true
   */
  readonly compact?: boolean;
  /**
   * Which of the built-ins that reach the terminal or the network answer, and to whom.
   *
   * @default none
   */
  readonly builtins?: BuiltinPermissions;
  /**
   * Pass WebRTC signalling messages on (`kite.handleWebRTC`).
   *
   * @default false
   */
  readonly webrtc?: boolean;
  /**
   * Decides whether a Kontrol key other than our own is trusted, for `kiteKey` authentication.
   *
   * @default none is
   */
  readonly verify?: KontrolKeyCheck;
  /**
   * Decides whether a token's audience covers this kite.
   *
   * @default the rule of the Go kite
   */
  readonly audience?: AudienceCheck;
  /**
   * Milliseconds for which a Kontrol key that was replaced is still trusted; the default covers every
   * token signed before the change.
   *
   * @default 176_400_000 (49 h)
   */
  readonly keyOverlap?: number;
  /**
   * Adopts a new Kontrol key only with a handover: a statement that the present key has signed. Set
   * it to false for a Kontrol that cannot sign one, and that the kite reaches over TLS or a trusted
   * network; to true to refuse such a Kontrol's changes of keys.
   *
   * @default true, unless the kite.key was issued by a Kontrol that signs no handovers, as Go's
   */
  readonly requireKeyHandover?: boolean;
  /**
   * Takes tokens that never end, as the Go kite does.
   *
   * @default false
   */
  readonly allowTokensWithoutExpiry?: boolean;
  /**
   * How far the clocks of two machines may differ, milliseconds.
   *
   * @default 0
   */
  readonly clockTolerance?: number;
  /** Heartbeat, raw WebSocket and other settings of the SockJS side. */
  readonly sockjs?: SockJsOptions;
  /**
   * Log connections that open and end at INFO, not at DEBUG.
   *
   * @default false
   */
  readonly logConnections?: boolean;
  /**
   * A logger of your own. Each call is logged at DEBUG if {@linkcode ConfigOptions.logLevel} is
   * "DEBUG".
   *
   * @default lines of text to standard error
   */
  readonly logger?: Logger;
}

/** How {@linkcode Kite.close} ends what is running. */
export interface CloseOptions {
  /**
   * Milliseconds that running calls are given to finish.
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
  methodHandling: checkWord(["method", "first", "latest"]),
  concurrentCallbacks: checkBoolean,
  compact: checkBoolean,
  builtins: (name, value) => checkOptions(name, value, BUILTIN_CHECKS),
  webrtc: checkBoolean,
  verify: checkFunction,
  audience: checkFunction,
  keyOverlap: checkTimeout,
  requireKeyHandover: checkBoolean,
  allowTokensWithoutExpiry: checkBoolean,
  clockTolerance: checkTtl,
  sockjs: (name, value) => checkOptions(name, value, SOCKJS_CHECKS),
  logConnections: checkBoolean,
  logger: checkAnyObject,
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

const CLOSE_CHECKS: Checks<CloseOptions> = Object.freeze({ deadline: checkTimeout });

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
