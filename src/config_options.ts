import type { TlsFiles, TlsPair } from "./config_files.ts";
import type { LogLevel } from "./log_level.ts";
import type { Limits } from "./protocol/limits.ts";
import type { ClientTransport } from "./transport/dial.ts";

/**
 * The settings of a kite. Options override environment variables, which override the user's
 * `kite.key`.
 */
export interface ConfigOptions {
  /**
   * The user that the kite belongs to. Variable: `KITE_USERNAME`.
   *
   * @default the user of the kite.key, or "unknown"
   */
  readonly username?: string;
  /**
   * The environment, such as "production" or "testing". Variable: `KITE_ENVIRONMENT`.
   *
   * @default "unknown"
   */
  readonly environment?: string;
  /**
   * The region, such as "europe". Variable: `KITE_REGION`.
   *
   * @default "unknown"
   */
  readonly region?: string;
  /**
   * The address to listen on. Variable: `KITE_IP`.
   *
   * @default "0.0.0.0"
   */
  readonly ip?: string;
  /**
   * The port to listen on, or 0 for any free port. Variable: `KITE_PORT`.
   *
   * @default 0
   */
  readonly port?: number;
  /**
   * The certificate to serve TLS with.
   *
   * @default none: the kite serves plain HTTP
   */
  readonly tls?: TlsPair | TlsFiles;
  /**
   * Certificates of private authorities, PEM, that clients trust in addition to the public ones. They
   * apply to all transports, and to Kontrol.
   *
   * @default none
   */
  readonly ca?: string | readonly string[];
  /**
   * The URL of Kontrol, or several URLs of Kontrols that share a storage. Variable:
   * `KITE_KONTROL_URL`, with commas between URLs.
   *
   * @default the URL in the kite.key
   */
  readonly kontrolUrl?: string | readonly string[];
  /**
   * Kontrol's public key, PEM.
   *
   * @default the key in the kite.key
   */
  readonly kontrolKey?: string;
  /**
   * Kontrol's username.
   *
   * @default the issuer of the kite.key
   */
  readonly kontrolUser?: string;
  /**
   * The text of a kite.key. With `""` the kite has none.
   *
   * @default the file `kite.key` in `kiteHome`
   */
  readonly kiteKey?: string;
  /**
   * The directory that contains `kite.key`. Variable: `KITE_HOME`.
   *
   * @default "~/.kite"
   */
  readonly kiteHome?: string;
  /**
   * The transport of clients, see {@linkcode ClientOptions.transport}. Variable: `KITE_TRANSPORT`.
   *
   * @default "auto"
   */
  readonly transport?: Exclude<ClientTransport, "rawWebSocket">;
  /**
   * Milliseconds to wait for the answer to a call. Variable: `KITE_TIMEOUT`, such as "15s".
   *
   * @default 15_000
   */
  readonly timeout?: number;
  /**
   * Milliseconds to wait for a connection. Variable: `KITE_HANDSHAKE_TIMEOUT`, such as "10s".
   *
   * @default 10_000
   */
  readonly handshakeTimeout?: number;
  /**
   * Milliseconds for which the answer of {@linkcode KiteOptions.verify} is cached; 0 disables the
   * cache. Variable: `KITE_VERIFY_TTL`, such as "5m"; a negative duration disables the cache.
   *
   * @default 300_000
   */
  readonly verifyTtl?: number;
  /**
   * The least severe level that is logged. Variable: `KITE_LOG_LEVEL`.
   *
   * @default "INFO"
   */
  readonly logLevel?: LogLevel;
  /**
   * Disables colors in the log. Variable: `KITE_LOG_NOCOLOR`, with any value.
   *
   * @default false
   */
  readonly logNoColor?: boolean;
  /**
   * The proxy to register at, instead of one that is found through Kontrol. Variable:
   * `KITE_PROXY_URL`.
   *
   * @default none
   */
  readonly proxyUrl?: string;
  /**
   * Limits that differ from the defaults.
   *
   * @default {@linkcode DEFAULT_LIMITS}
   */
  readonly limits?: Partial<Limits>;
}

/** The settings of a kite after defaults, variables and the kite.key were applied. */
export interface Config {
  /** The user that the kite belongs to. */
  readonly username: string;
  /** The environment, such as "production". */
  readonly environment: string;
  /** The region, such as "europe". */
  readonly region: string;
  /** The address to listen on. */
  readonly ip: string;
  /** The port to listen on, or 0 for any free port. */
  readonly port: number;
  /** The certificate to serve TLS with; undefined for plain HTTP. */
  readonly tls: TlsPair | undefined;
  /** Certificates of private authorities, PEM; empty if there are none. */
  readonly ca: readonly string[];
  /** The URLs of Kontrol; empty if none is known. */
  readonly kontrolUrls: readonly string[];
  /** Kontrol's public key, PEM, trimmed. */
  readonly kontrolKey: string | undefined;
  /** Kontrol's username. */
  readonly kontrolUser: string | undefined;
  /** The text of the kite.key, trimmed. */
  readonly kiteKey: string | undefined;
  /** The directory that contains `kite.key`; `""` if no home directory is known. */
  readonly kiteHome: string;
  /** The transport of clients. */
  readonly transport: Exclude<ClientTransport, "rawWebSocket">;
  /** Milliseconds to wait for the answer to a call. */
  readonly timeout: number;
  /** Milliseconds to wait for a connection. */
  readonly handshakeTimeout: number;
  /** Milliseconds for which the answer of {@linkcode KiteOptions.verify} is cached; 0 disables it. */
  readonly verifyTtl: number;
  /** The least severe level that is logged. */
  readonly logLevel: LogLevel;
  /** True if the log has no colors. */
  readonly logNoColor: boolean;
  /** The proxy to register at. */
  readonly proxyUrl: string | undefined;
  /** All limits. */
  readonly limits: Limits;
}
