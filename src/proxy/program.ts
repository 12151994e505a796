import { KiteError } from "../protocol/errors.ts";
import {
  asksForVersion,
  type GivenSettings,
  readSettings,
  type SettingRow,
  settingsHelp,
} from "../flags.ts";
import { env } from "../runtime/env.ts";
import { onInterrupt, printLine } from "../runtime/process.ts";
import { writeError } from "../runtime/terminal.ts";
import { checkHost, checkName, checkPath, readPort } from "../config_values.ts";
import type { ProxyOptions } from "./server.ts";

/** The methods of a proxy that its program uses. */
export interface RunnableProxy {
  readonly url: string;
  listen(): Promise<void>;
  register(): Promise<unknown>;
  close(): Promise<void>;
}

/** The differences between the programs of the two proxies. */
export interface ProxyProgram {
  /** The program's name. */
  readonly name: string;
  readonly version: string;
  /** The text above the flags in the help. */
  readonly help: string;
  readonly rows: readonly SettingRow[];
  /** @throws {KiteError} `configError` that names a flag or variable that cannot be used */
  create(given: GivenSettings): RunnableProxy;
}

/**
 * The flags that both programs have.
 *
 * @param prefix the prefix of their environment variables
 */
export function commonRows(prefix: string): SettingRow[] {
  return [
    row(prefix, "ip", "IP", "the address to listen on; 0.0.0.0 by default"),
    row(prefix, "port", "PORT", "the port to listen on, 0 for any that is free; 3999 by default"),
    row(prefix, "cert", "PATH", "serve TLS with this certificate, PEM"),
    row(prefix, "key", "PATH", "the certificate's private key, PEM"),
    row(prefix, "region", "NAME", "the proxy's region; KITE_REGION, or unknown, by default"),
    row(prefix, "env", "NAME", "its environment; KITE_ENVIRONMENT, or development, by default"),
    row(prefix, "register", "BOOL", "register at Kontrol; true by default"),
    { flag: "help", variable: "", value: "", help: "show this" },
  ];
}

/** Creates a flag. Its environment variable is its name with a prefix. */
export function row(prefix: string, flag: string, value: string, help: string): SettingRow {
  return { flag, variable: `${prefix}_${flag.replaceAll("-", "_").toUpperCase()}`, value, help };
}

/** Returns a checked setting; undefined if it is not given. */
export function read<Value>(
  given: GivenSettings,
  flag: string,
  parse: (name: string, text: string) => Value,
): Value | undefined {
  const setting = given.get(flag);
  return setting === undefined ? undefined : parse(setting.name, setting.text);
}

/**
 * Returns a boolean setting.
 *
 * @throws {KiteError} `configError`
 */
export function readSwitch(given: GivenSettings, flag: string, otherwise: boolean): boolean {
  const setting = given.get(flag);
  if (setting === undefined) return otherwise;
  if (["true", "1"].includes(setting.text.toLowerCase())) return true;
  if (["false", "0"].includes(setting.text.toLowerCase())) return false;
  throw new KiteError("configError", `Cannot use ${setting.name}: must be true or false`);
}

/** Reads the options of the flags that both programs have. */
export function commonOptions(given: GivenSettings): ProxyOptions {
  const ip = read(given, "ip", checkHost);
  const port = read(given, "port", readPort);
  const certFile = read(given, "cert", checkPath);
  const keyFile = read(given, "key", checkPath);
  const region = read(given, "region", checkName);
  const environment = read(given, "env", checkName) ?? env("KITE_ENVIRONMENT") ?? "development";
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new KiteError("configError", "Cannot serve TLS: -cert and -key must be given together");
  }
  return {
    ...(ip === undefined ? {} : { ip }),
    ...(port === undefined ? {} : { port }),
    ...(certFile === undefined || keyFile === undefined ? {} : { tls: { certFile, keyFile } }),
    kite: { environment, ...(region === undefined ? {} : { region }) },
  };
}

/**
 * Runs a proxy until the process gets a signal to stop.
 *
 * @returns the exit code
 */
export async function runProxy(
  program: ProxyProgram,
  words: readonly string[],
): Promise<number> {
  const { name, version, rows } = program;
  if (env("KITE_VERSION") || asksForVersion(words)) {
    printLine(version);
    return 0;
  }
  try {
    const given = readSettings(rows, words, env);
    if (given.has("help")) {
      printLine(`${program.help}\n${settingsHelp(rows)}`);
      return 0;
    }
    const proxy = program.create(given);
    await proxy.listen();
    const stopped = Promise.withResolvers<void>();
    const release = onInterrupt(() => proxy.close().then(stopped.resolve, stopped.reject));
    printLine(`${name} ${version} listens at ${proxy.url}`);
    if (readSwitch(given, "register", true)) {
      proxy.register().catch((error: unknown) => {
        if (error instanceof KiteError && error.type === "aborted") return;
        writeError(`${name}: Cannot register at Kontrol: ${messageOf(error)}`);
      });
    }
    await stopped.promise;
    release();
    return 0;
  } catch (error) {
    if (!(error instanceof KiteError)) throw error;
    writeError(`${name}: ${error.message}`);
    return 1;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
