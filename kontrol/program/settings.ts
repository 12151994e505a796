import {
  checkHost,
  checkName,
  checkPath,
  checkUrl,
  checkUrls,
  checkWord,
  readPort,
  readWait,
} from "../../src/config_values.ts";
import { kiteHome } from "../../src/auth/kite_key.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { VERSION } from "../../src/protocol/package_version.ts";
import { cannotUse } from "../../src/protocol/refusal.ts";
import { REGISTER_MODES, type RegisterMode } from "../admission.ts";
import { DEFAULT_PORT } from "../kontrol.ts";
import type { PolicyName } from "../policy.ts";
import type { PostgresConnection } from "../storage/postgres_route.ts";
import { type GivenSettings, readSettings, type SettingRow } from "../../src/flags.ts";

/** The kinds of storage. */
export type StorageKind = "sqlite" | "memory" | "etcd" | "postgres";

/** The checked settings of the program. */
export interface Settings {
  readonly port: number;
  readonly ip: string;
  /** Default: that of the kite.key, else "kontrol". */
  readonly username: string | undefined;
  readonly version: string;
  /** Default: that of the kite.key, else a URL on this machine. */
  readonly kontrolUrl: string | undefined;
  readonly registerUrl: string | undefined;
  readonly publicKeyFile: string | undefined;
  readonly privateKeyFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  readonly storage: StorageKind;
  readonly sqliteFile: string;
  readonly machines: readonly string[];
  readonly etcd: EtcdSettings;
  readonly postgres: PostgresConnection & { readonly connectTimeout: number };
  readonly policy: PolicyName;
  readonly register: RegisterMode;
  readonly initial: boolean;
  /** The directory of Kontrol's state. */
  readonly home: string;
  /** The directory of the user's kite.key. */
  readonly kiteHome: string;
}

/** The authentication and TLS settings for etcd. */
export interface EtcdSettings {
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
}

/** All settings, with their flags and environment variables. */
export const SETTINGS: readonly SettingRow[] = Object.freeze([
  row("port", "PORT", "4000", "the port to listen on; 0 for any free port"),
  row("ip", "IP", "0.0.0.0", "the address to listen on"),
  row(
    "username",
    "USERNAME",
    "NAME",
    'Kontrol\'s user, the issuer of all tokens; "kontrol" by default',
  ),
  row("kontrolurl", "KONTROLURL", "URL", "the URL at which kites reach Kontrol"),
  row("registerurl", "REGISTERURL", "URL", "the URL of Kontrol's own registration"),
  row("storage", "STORAGE", "KIND", "sqlite, memory, etcd or postgres; sqlite by default"),
  row("sqlitefile", "SQLITEFILE", "PATH", "the database; kontrol.db in -home by default"),
  row(
    "machines",
    "MACHINES",
    "URLS",
    "etcd's URLs, separated by commas; http://127.0.0.1:2379 by default",
  ),
  row("etcd-username", "ETCD_USERNAME", "NAME", "the etcd user"),
  row("etcd-password", "ETCD_PASSWORD", "TEXT", "the etcd user's password"),
  row("etcd-cafile", "ETCD_CAFILE", "PATH", "CA certificates to trust for etcd, PEM"),
  row("etcd-certfile", "ETCD_CERTFILE", "PATH", "the client certificate for etcd, PEM"),
  row("etcd-keyfile", "ETCD_KEYFILE", "PATH", "the client certificate's private key, PEM"),
  row(
    "postgres-host",
    "POSTGRES_HOST",
    "HOST",
    "PostgreSQL's host, or the directory of its Unix socket; localhost by default",
  ),
  row("postgres-port", "POSTGRES_PORT", "PORT", "PostgreSQL's port; 5432 by default"),
  row("postgres-username", "POSTGRES_USERNAME", "NAME", "the PostgreSQL role"),
  row("postgres-password", "POSTGRES_PASSWORD", "TEXT", "the role's password"),
  row("postgres-dbname", "POSTGRES_DBNAME", "NAME", "the name of the database"),
  row(
    "postgres-connecttimeout",
    "POSTGRES_CONNECTTIMEOUT",
    "SECONDS",
    "the timeout of database operations; 5 by default",
  ),
  row(
    "postgres-tls",
    "POSTGRES_TLS",
    "MODE",
    "disable, require or verify-full; disable by default",
  ),
  row(
    "publickeyfile",
    "PUBLICKEYFILE",
    "PATH",
    "Kontrol's public key, PEM; created in -home by default",
  ),
  row("privatekeyfile", "PRIVATEKEYFILE", "PATH", "Kontrol's private key, PEM"),
  row("tlscertfile", "TLSCERTFILE", "PATH", "serve TLS with this certificate, PEM"),
  row("tlskeyfile", "TLSKEYFILE", "PATH", "the certificate's private key, PEM"),
  row(
    "policy",
    "POLICY",
    "NAME",
    "compatible: users may call all kites; strict: users may call only their own kites",
  ),
  row(
    "register",
    "REGISTER",
    "MODE",
    "who gets a kite.key: closed: nobody; token: users with an invite; open: everybody",
  ),
  row(
    "home",
    "HOME",
    "DIR",
    "the directory of Kontrol's state; kontrol in the kite.key's directory by default",
  ),
  row("version", "VERSION", "X.Y.Z", "the version in Kontrol's own registration"),
  row("initial", "INITIAL", "", "create the key pair and the first kite.key, then exit"),
  { flag: "help", variable: "", value: "", help: "show this" },
]);

/**
 * Reads the settings of the program.
 *
 * @param warn called for each ignored variable that has the name of a setting
 * @throws {KiteError} `configError` that names the invalid flag or variable
 */
export function readProgramSettings(
  words: readonly string[],
  env: (name: string) => string | undefined,
  warn: (message: string) => void = () => {},
): Settings | "help" {
  const given = readSettings(SETTINGS, words, env, warn);
  if (given.has("help")) return "help";
  const userHome = kiteHome();
  const home = read(given, "home", checkPath) ?? (userHome === "" ? "" : `${userHome}/kontrol`);
  if (home === "") {
    const reason = "there is no home directory; set -home or KONTROL_HOME";
    throw new KiteError("configError", `Cannot store Kontrol's state: ${reason}`);
  }
  const storage = read(given, "storage", checkWord<StorageKind>(KINDS)) ?? "sqlite";
  const settings: Settings = {
    port: read(given, "port", readPort) ?? DEFAULT_PORT,
    ip: read(given, "ip", checkHost) ?? "0.0.0.0",
    username: read(given, "username", checkName),
    version: read(given, "version", checkName) ?? VERSION,
    kontrolUrl: read(given, "kontrolurl", checkUrl),
    registerUrl: read(given, "registerurl", checkUrl),
    publicKeyFile: read(given, "publickeyfile", checkPath),
    privateKeyFile: read(given, "privatekeyfile", checkPath),
    tlsCertFile: read(given, "tlscertfile", checkPath),
    tlsKeyFile: read(given, "tlskeyfile", checkPath),
    storage,
    sqliteFile: read(given, "sqlitefile", checkPath) ?? `${home}/kontrol.db`,
    machines: read(given, "machines", (name, text) => checkUrls(name, text.split(","))) ??
      ["http://127.0.0.1:2379"],
    etcd: {
      username: read(given, "etcd-username", checkName),
      password: given.get("etcd-password")?.text,
      caFile: read(given, "etcd-cafile", checkPath),
      certFile: read(given, "etcd-certfile", checkPath),
      keyFile: read(given, "etcd-keyfile", checkPath),
    },
    postgres: readPostgres(given),
    policy: read(given, "policy", checkWord<PolicyName>(["compatible", "strict"])) ?? "compatible",
    register: read(given, "register", checkWord(REGISTER_MODES)) ?? "closed",
    initial: readSwitch(given, "initial"),
    home,
    kiteHome: userHome,
  };
  requireBoth(given, "publickeyfile", "privatekeyfile");
  requireBoth(given, "tlscertfile", "tlskeyfile");
  requireBoth(given, "etcd-username", "etcd-password");
  requireBoth(given, "etcd-certfile", "etcd-keyfile");
  if (storage === "postgres") requireAll(given, ["postgres-username", "postgres-dbname"]);
  return settings;
}

const KINDS: readonly StorageKind[] = ["sqlite", "memory", "etcd", "postgres"];

function row(flag: string, variable: string, value: string, help: string): SettingRow {
  return { flag, variable: `KONTROL_${variable}`, value, help };
}

function read<Value>(
  given: GivenSettings,
  flag: string,
  parse: (name: string, text: string) => Value,
): Value | undefined {
  const setting = given.get(flag);
  return setting === undefined ? undefined : parse(setting.name, setting.text);
}

function readSwitch(given: GivenSettings, flag: string): boolean {
  const setting = given.get(flag);
  if (setting === undefined) return false;
  if (["true", "1"].includes(setting.text.toLowerCase())) return true;
  if (["false", "0"].includes(setting.text.toLowerCase())) return false;
  throw cannotUse(setting.name, "must be true or false", { value: setting.text });
}

function readPostgres(given: GivenSettings): Settings["postgres"] {
  return {
    host: read(given, "postgres-host", checkPostgresHost) ?? "localhost",
    port: read(given, "postgres-port", readPort) ?? 5432,
    username: given.get("postgres-username")?.text ?? "",
    password: given.get("postgres-password")?.text ?? "",
    database: given.get("postgres-dbname")?.text ?? "",
    tls: read(given, "postgres-tls", checkWord(["disable", "require", "verify-full"])) ?? "disable",
    connectTimeout: read(given, "postgres-connecttimeout", readSeconds) ?? 5_000,
  };
}

/** A host name or address, or the directory of a Unix socket. */
function checkPostgresHost(name: string, text: string): string {
  return text.startsWith("/") ? checkPath(name, text) : checkHost(name, text);
}

/** Parses seconds, as the Go Kontrol does, or a duration such as 500ms, to milliseconds. */
function readSeconds(name: string, text: string): number {
  return readWait(name, /^\d+$/.test(text) ? `${text}s` : text);
}

function requireBoth(given: GivenSettings, one: string, other: string): void {
  if (given.has(one) === given.has(other)) return;
  const [present, missing] = given.has(one) ? [one, other] : [other, one];
  throw cannotUse(`-${present}`, `must be given together with -${missing}`);
}

function requireAll(given: GivenSettings, flags: readonly string[]): void {
  const missing = flags.filter((flag) => !given.has(flag)).map((flag) => `-${flag}`);
  if (missing.length === 0) return;
  throw cannotUse("-storage=postgres", `must be given together with ${missing.join(" and ")}`);
}
