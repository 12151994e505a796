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

/** The settings of the program, complete and checked. */
export interface Settings {
  readonly port: number;
  readonly ip: string;
  /** Undefined: that of the kite.key, else "kontrol". */
  readonly username: string | undefined;
  readonly version: string;
  /** Undefined: that of the kite.key, else this machine's own. */
  readonly kontrolUrl: string | undefined;
  readonly registerUrl: string | undefined;
  readonly publicKeyFile: string | undefined;
  readonly privateKeyFile: string | undefined;
  readonly tlsCertFile: string | undefined;
  readonly tlsKeyFile: string | undefined;
  readonly storage: StorageKind;
  readonly sqliteFile: string;
  readonly machines: readonly string[];
  readonly postgres: PostgresConnection & { readonly connectTimeout: number };
  readonly policy: PolicyName;
  readonly register: RegisterMode;
  readonly initial: boolean;
  /** Where Kontrol's state is. */
  readonly home: string;
  /** Where the user's kite.key is. */
  readonly kiteHome: string;
}

/** Every setting: flag, environment variable, and what it means. */
export const SETTINGS: readonly SettingRow[] = Object.freeze([
  row("port", "PORT", "4000", "the port to listen on; 0 for any that is free"),
  row("ip", "IP", "0.0.0.0", "the address to listen on"),
  row(
    "username",
    "USERNAME",
    "NAME",
    'Kontrol\'s user, the issuer of all tokens; "kontrol" at first',
  ),
  row("kontrolurl", "KONTROLURL", "URL", "the URL at which kites reach Kontrol"),
  row("registerurl", "REGISTERURL", "URL", "the URL under which Kontrol lists itself"),
  row("storage", "STORAGE", "KIND", "sqlite, memory, etcd or postgres; sqlite by default"),
  row("sqlitefile", "SQLITEFILE", "PATH", "the database; kontrol.db in -home by default"),
  row("machines", "MACHINES", "URLS", "etcd's URLs, with commas; http://127.0.0.1:2379 by default"),
  row(
    "postgres-host",
    "POSTGRES_HOST",
    "HOST",
    "PostgreSQL's host, or the directory of its Unix socket; localhost by default",
  ),
  row("postgres-port", "POSTGRES_PORT", "PORT", "its port; 5432 by default"),
  row("postgres-username", "POSTGRES_USERNAME", "NAME", "its role"),
  row("postgres-password", "POSTGRES_PASSWORD", "TEXT", "the role's password"),
  row("postgres-dbname", "POSTGRES_DBNAME", "NAME", "the database"),
  row("postgres-connecttimeout", "POSTGRES_CONNECTTIMEOUT", "SECONDS", "bound of an operation; 5"),
  row(
    "publickeyfile",
    "PUBLICKEYFILE",
    "PATH",
    "Kontrol's public key, PEM; made when none is given",
  ),
  row("privatekeyfile", "PRIVATEKEYFILE", "PATH", "its private key, PEM"),
  row("tlscertfile", "TLSCERTFILE", "PATH", "serve TLS with this certificate, PEM"),
  row("tlskeyfile", "TLSKEYFILE", "PATH", "the certificate's key, PEM"),
  row("policy", "POLICY", "NAME", "compatible: any user may call any kite; strict: its own only"),
  row(
    "register",
    "REGISTER",
    "MODE",
    "who gets a kite.key: closed: nobody; token: whoever has an invite; open: everybody",
  ),
  row("home", "HOME", "DIR", "where Kontrol's state is; kontrol in the kite.key's directory"),
  row("version", "VERSION", "X.Y.Z", "the version under which Kontrol lists itself"),
  row("initial", "INITIAL", "", "make the key pair and the first kite.key, then exit"),
  { flag: "help", variable: "-", value: "", help: "show this" },
]);

/**
 * Reads the settings of the program.
 *
 * @param warn Called for each variable that is ignored although it has the name of a setting.
 * @throws {KiteError} `configError` that names the flag or variable which is wrong
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
    throw new KiteError("configError", "no place for Kontrol's state: set -home or KONTROL_HOME");
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
    postgres: readPostgres(given),
    policy: read(given, "policy", checkWord<PolicyName>(["compatible", "strict"])) ?? "compatible",
    register: read(given, "register", checkWord(REGISTER_MODES)) ?? "closed",
    initial: readSwitch(given, "initial"),
    home,
    kiteHome: userHome,
  };
  requireBoth(given, "publickeyfile", "privatekeyfile");
  requireBoth(given, "tlscertfile", "tlskeyfile");
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
    connectTimeout: read(given, "postgres-connecttimeout", readSeconds) ?? 5_000,
  };
}

/** An address, or the directory of a Unix socket. */
function checkPostgresHost(name: string, text: string): string {
  return text.startsWith("/") ? checkPath(name, text) : checkHost(name, text);
}

/** Seconds as Go has it, or a duration such as 500ms; in milliseconds. */
function readSeconds(name: string, text: string): number {
  return readWait(name, /^\d+$/.test(text) ? `${text}s` : text);
}

function requireBoth(given: GivenSettings, one: string, other: string): void {
  if (given.has(one) === given.has(other)) return;
  const [there, missing] = given.has(one) ? [one, other] : [other, one];
  throw new KiteError("configError", `-${there} is given without -${missing}; give both, or none`);
}

function requireAll(given: GivenSettings, flags: readonly string[]): void {
  const missing = flags.filter((flag) => !given.has(flag)).map((flag) => `-${flag}`);
  if (missing.length === 0) return;
  throw new KiteError("configError", `-storage=postgres needs ${missing.join(" and ")}`);
}
