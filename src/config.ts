import { readKiteKey, readTls } from "./config_files.ts";
import type { Config, ConfigOptions } from "./config_options.ts";
import {
  checkBoolean,
  checkHost,
  checkLimits,
  checkName,
  checkOptions,
  checkPath,
  checkPem,
  checkPems,
  checkPort,
  type Checks,
  checkSecret,
  checkTtl,
  checkUrl,
  checkUrls,
  checkWait,
  checkWord,
  readDuration,
  readPort,
  readWait,
} from "./config_values.ts";
import { isServiceValue, misspeltVariables } from "./config_variables.ts";
import { LOG_LEVELS } from "./log_level.ts";
import { defaultLimits } from "./protocol/limits.ts";
import { descriptorLimit } from "./runtime/descriptors.ts";
import { env, environmentNames, homeDirectory } from "./runtime/env.ts";
import { readTextFileSync } from "./runtime/files.ts";

const TRANSPORTS: readonly Config["transport"][] = ["auto", "WebSocket", "XHRPolling"];

/**
 * Where settings come from, in addition to the options. By default the environment and the files of
 * this machine.
 */
export interface ConfigSources {
  /** Reads an environment variable. */
  readonly env?: (name: string) => string | undefined;
  /** Returns the names of all variables that are set. */
  readonly environmentNames?: () => readonly string[];
  /** Reads a file. Returns undefined if it does not exist. */
  readonly readTextFile?: (path: string) => string | undefined;
  /**
   * Called with a warning about a file that is ignored.
   *
   * @default warnings are dropped
   */
  readonly warn?: (message: string) => void;
  /** Returns the user's home directory, or `""`. */
  readonly homeDirectory?: () => string;
}

type Settings = { -readonly [Name in keyof ConfigOptions]?: unknown };

const DEFAULT_VERIFY_TTL = 300_000;

const DEFAULTS = Object.freeze({
  username: "unknown",
  environment: "unknown",
  region: "unknown",
  ip: "0.0.0.0",
  port: 0,
  tls: undefined,
  ca: [],
  kontrolUrl: [],
  kontrolKey: undefined,
  kontrolUser: undefined,
  transport: "auto",
  timeout: 15_000,
  handshakeTimeout: 10_000,
  verifyTtl: DEFAULT_VERIFY_TTL,
  logLevel: "INFO",
  logNoColor: false,
  proxyUrl: undefined,
  limits: {},
});

const OPTIONS: Checks<ConfigOptions> = Object.freeze({
  username: checkName,
  environment: checkName,
  region: checkName,
  ip: checkHost,
  port: checkPort,
  tls: (_name: string, value: unknown) => value,
  ca: checkPems,
  kontrolUrl: checkUrls,
  kontrolKey: checkPem,
  kontrolUser: checkName,
  kiteKey: checkSecret,
  kiteHome: checkPath,
  transport: checkWord(TRANSPORTS),
  timeout: checkWait,
  handshakeTimeout: checkWait,
  verifyTtl: checkTtl,
  logLevel: checkWord(LOG_LEVELS),
  logNoColor: checkBoolean,
  proxyUrl: checkUrl,
  limits: checkLimits,
});

/** The names of all {@linkcode ConfigOptions}. */
export const CONFIG_NAMES: readonly string[] = Object.freeze(Object.keys(OPTIONS));

/** The option that each environment variable sets, and the function that reads its text. */
const VARIABLES: readonly [string, keyof ConfigOptions, (name: string, text: string) => unknown][] =
  [
    ["KITE_USERNAME", "username", checkName],
    ["KITE_ENVIRONMENT", "environment", checkName],
    ["KITE_REGION", "region", checkName],
    ["KITE_IP", "ip", checkHost],
    ["KITE_PORT", "port", readPort],
    ["KITE_KONTROL_URL", "kontrolUrl", (name, text) => checkUrls(name, text.split(","))],
    ["KITE_HOME", "kiteHome", checkPath],
    ["KITE_TRANSPORT", "transport", OPTIONS.transport],
    ["KITE_TIMEOUT", "timeout", readWait],
    ["KITE_HANDSHAKE_TIMEOUT", "handshakeTimeout", readWait],
    ["KITE_VERIFY_TTL", "verifyTtl", readVerifyTtl],
    ["KITE_LOG_LEVEL", "logLevel", OPTIONS.logLevel],
    ["KITE_LOG_NOCOLOR", "logNoColor", () => true],
    ["KITE_PROXY_URL", "proxyUrl", checkUrl],
  ];

const VERSION_VARIABLE = "KITE_VERSION";

/**
 * Combines the settings of a kite: options override environment variables, which override the
 * `kite.key`. A `kite.key` that is missing is ignored; one without read permission causes a warning.
 *
 * @throws {KiteError} `configError` for an option, variable or file that cannot be used
 */
export function resolveConfig(options: ConfigOptions = {}, sources: ConfigSources = {}): Config {
  const readFile = sources.readTextFile ?? readTextFileSync;
  const settings: Settings = {
    ...readVariables(sources.env ?? env),
    ...checkOptions("", options, OPTIONS),
  };
  const kiteHome = (settings.kiteHome as string | undefined) ??
    defaultHome((sources.homeDirectory ?? homeDirectory)());
  const kiteKey = readKiteKey(
    settings.kiteKey as string | undefined,
    kiteHome,
    readFile,
    sources.warn,
  );
  const { kontrolUrl, tls, limits, ...rest } = { ...DEFAULTS, ...kiteKey, ...settings };
  return Object.freeze({
    ...rest,
    kiteHome,
    kiteKey: kiteKey.kiteKey,
    kontrolUrls: Object.freeze(kontrolUrl),
    tls: tls === undefined ? undefined : readTls(tls, readFile),
    limits: Object.freeze({ ...defaultLimits(descriptorLimit(readFile)), ...limits as object }),
    // Each value was checked, or is a default.
  } as Config);
}

/** True if `KITE_VERSION` is set. Then a kite only prints its version. */
export function isVersionRequested(sources: ConfigSources = {}): boolean {
  return ((sources.env ?? env)(VERSION_VARIABLE) ?? "") !== "";
}

/** Returns warnings about variables that are ignored although their names suggest a setting. */
export function configWarnings(sources: ConfigSources = {}): string[] {
  const read = sources.env ?? env;
  const known = [...VARIABLES.map(([name]) => name), VERSION_VARIABLE];
  const names = (sources.environmentNames ?? environmentNames)();
  return [
    ...VARIABLES.filter(([name]) => isServiceValue(read(name) ?? ""))
      .map(([name]) => `Ignoring the variable ${name}: it describes a service of Kubernetes`),
    ...misspeltVariables("KITE_", known, names),
  ];
}

function readVariables(read: (name: string) => string | undefined): Settings {
  const settings: Settings = {};
  for (const [name, option, parse] of VARIABLES) {
    const text = read(name) ?? "";
    if (text !== "" && !isServiceValue(text)) settings[option] = parse(name, text);
  }
  return settings;
}

/** As in Go, 0 selects the default and a negative duration disables the cache. */
function readVerifyTtl(name: string, text: string): number {
  const milliseconds = readDuration(name, text);
  return milliseconds === 0 ? DEFAULT_VERIFY_TTL : Math.max(0, milliseconds);
}

function defaultHome(home: string): string {
  return home === "" ? "" : `${home}/.kite`;
}
