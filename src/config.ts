import { readKiteKey, readTls, type TlsFiles, type TlsPair } from "./config_files.ts";
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
import { LOG_LEVELS, type LogLevel } from "./log_level.ts";
import { defaultLimits, type Limits } from "./protocol/limits.ts";
import { descriptorLimit } from "./runtime/descriptors.ts";
import { env, environmentNames, homeDirectory } from "./runtime/env.ts";
import { readTextFileSync } from "./runtime/files.ts";
import type { ClientTransport } from "./transport/dial.ts";

export type { TlsFiles, TlsPair };

const TRANSPORTS: readonly Config["transport"][] = ["auto", "WebSocket", "XHRPolling"];

/**
 * The settings of a kite. What is not given comes from the environment variable named here, else
 * from the user's `kite.key`, else it is the default.
 */
export interface ConfigOptions {
  /**
   * Whose kite it is. `KITE_USERNAME`.
   *
   * @default the kite.key's user, else "unknown"
   */
  readonly username?: string;
  /**
   * Such as "production" or "testing". `KITE_ENVIRONMENT`.
   *
   * @default "unknown"
   */
  readonly environment?: string;
  /**
   * Where it runs, such as "europe". `KITE_REGION`.
   *
   * @default "unknown"
   */
  readonly region?: string;
  /**
   * The address to listen on. `KITE_IP`.
   *
   * @default "0.0.0.0"
   */
  readonly ip?: string;
  /**
   * The port to listen on, 0 for any that is free. `KITE_PORT`.
   *
   * @default 0
   */
  readonly port?: number;
  /**
   * Serve TLS, with this certificate.
   *
   * @default none
   */
  readonly tls?: TlsPair | TlsFiles;
  /**
   * Certificates of private authorities, PEM, that clients trust beside the public ones, over every
   * transport and toward Kontrol.
   * @default none
   */
  readonly ca?: string | readonly string[];
  /**
   * Kontrol's URL, or several of one Kontrol. `KITE_KONTROL_URL`, with commas.
   *
   * @default the kite.key's
   */
  readonly kontrolUrl?: string | readonly string[];
  /**
   * Kontrol's public key, PEM.
   *
   * @default the kite.key's
   */
  readonly kontrolKey?: string;
  /**
   * Kontrol's username.
   *
   * @default the kite.key's issuer
   */
  readonly kontrolUser?: string;
  /**
   * The text of a kite.key; `""` for none at all.
   *
   * @default the file `kite.key` in `kiteHome`
   */
  readonly kiteKey?: string;
  /**
   * The directory of `kite.key`. `KITE_HOME`.
   *
   * @default "~/.kite"
   */
  readonly kiteHome?: string;
  /**
   * How to reach others. `KITE_TRANSPORT`.
   *
   * @default "auto"
   */
  readonly transport?: Exclude<ClientTransport, "rawWebSocket">;
  /**
   * Milliseconds to wait for an answer of Kontrol, a proxy, a poll. `KITE_TIMEOUT`.
   *
   * @default 15_000
   */
  readonly timeout?: number;
  /**
   * Milliseconds to wait for a connection. `KITE_HANDSHAKE_TIMEOUT`.
   *
   * @default 10_000
   */
  readonly handshakeTimeout?: number;
  /**
   * Milliseconds for which the trust in a key is remembered, 0 for not at all. `KITE_VERIFY_TTL` (negative: not at all).
   *
   * @default 300_000
   */
  readonly verifyTtl?: number;
  /**
   * What is logged: this level and those before it. `KITE_LOG_LEVEL`.
   *
   * @default "INFO"
   */
  readonly logLevel?: LogLevel;
  /**
   * Log without colors. `KITE_LOG_NOCOLOR`, set to anything.
   *
   * @default false
   */
  readonly logNoColor?: boolean;
  /**
   * The proxy to register to, instead of one that Kontrol knows. `KITE_PROXY_URL`.
   *
   * @default none
   */
  readonly proxyUrl?: string;
  /** Bounds other than the defaults. */
  readonly limits?: Partial<Limits>;
}

/** The settings of a kite, complete and checked. */
export interface Config {
  /** Whose kite it is. */
  readonly username: string;
  /** Such as "production". */
  readonly environment: string;
  /** Where it runs. */
  readonly region: string;
  /** The address to listen on. */
  readonly ip: string;
  /** The port to listen on, 0 for any that is free. */
  readonly port: number;
  /** The certificate to serve TLS with. */
  readonly tls: TlsPair | undefined;
  /** Certificates of private authorities, PEM; empty for none. */
  readonly ca: readonly string[];
  /** Kontrol's URLs; empty when none is known. */
  readonly kontrolUrls: readonly string[];
  /** Kontrol's public key, PEM, trimmed. */
  readonly kontrolKey: string | undefined;
  /** Kontrol's username. */
  readonly kontrolUser: string | undefined;
  /** The text of the kite.key, trimmed. */
  readonly kiteKey: string | undefined;
  /** The directory of `kite.key`; `""` where no home directory is known. */
  readonly kiteHome: string;
  /** How to reach others. */
  readonly transport: Exclude<ClientTransport, "rawWebSocket">;
  /** Milliseconds to wait for an answer of Kontrol, a proxy, a poll. */
  readonly timeout: number;
  /** Milliseconds to wait for a connection. */
  readonly handshakeTimeout: number;
  /** Milliseconds for which the trust in a key is remembered; 0 for not at all. */
  readonly verifyTtl: number;
  /** This level and those before it are logged. */
  readonly logLevel: LogLevel;
  /** No colors in the log. */
  readonly logNoColor: boolean;
  /** The proxy to register to. */
  readonly proxyUrl: string | undefined;
  /** Every bound. */
  readonly limits: Limits;
}

/**
 * Where settings come from beside the options.
 *
 * @default this process and its machine
 */
export interface ConfigSources {
  /** Reads an environment variable. */
  readonly env?: (name: string) => string | undefined;
  /** The names of the variables that are set. */
  readonly environmentNames?: () => readonly string[];
  /** Reads a file; `undefined` if it is not there. */
  readonly readTextFile?: (path: string) => string | undefined;
  /**
   * Takes a warning about a file that is left out.
   *
   * @default warnings are dropped
   */
  readonly warn?: (message: string) => void;
  /** The user's home directory, or `""`. */
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

/** What each environment variable sets, and how its text is read. */
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
 * Brings a kite's settings together: `kite.key`, then environment variables over it, then the
 * options over both. A `kite.key` may be missing; one that may not be read causes a warning.
 *
 * @throws {KiteError} `configError`, naming the option, variable or file that is wrong, and what
 * would be right.
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
    // Each value has passed the check of its name, or is a default.
  } as Config);
}

/** True if `KITE_VERSION` is set: then a kite prints its version, and does nothing else. */
export function isVersionRequested(sources: ConfigSources = {}): boolean {
  return ((sources.env ?? env)(VERSION_VARIABLE) ?? "") !== "";
}

/** Warnings about variables that no setting is read from although it seems so. */
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

/** Go's rule: 0 is the default, and negative is never. */
function readVerifyTtl(name: string, text: string): number {
  const milliseconds = readDuration(name, text);
  return milliseconds === 0 ? DEFAULT_VERIFY_TTL : Math.max(0, milliseconds);
}

function defaultHome(home: string): string {
  return home === "" ? "" : `${home}/.kite`;
}
