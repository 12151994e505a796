/**
 * The tunnel proxy as a program: `deno task tunnelproxy -help`.
 *
 * @module
 */
import { checkName, checkPath, checkUrl } from "../../config_values.ts";
import { KiteError } from "../../protocol/errors.ts";
import { VERSION } from "../../protocol/package_version.ts";
import { readTextFileSync } from "../../runtime/files.ts";
import { exit, isMain, programArguments } from "../../runtime/process.ts";
import { commonOptions, commonRows, type ProxyProgram, read, row } from "../program.ts";
import { runProxy } from "../program.ts";
import { TunnelProxy } from "./proxy.ts";

const PREFIX = "TUNNELPROXY";

const PROGRAM: ProxyProgram = {
  name: "tunnelproxy",
  version: VERSION,
  help: `A tunnel proxy: it makes kites reachable that nobody can dial, such as those behind NAT.

Usage: tunnelproxy [-flag=value ...]

Its kite.key, and with it its Kontrol, come from the usual place: KITE_HOME, or ~/.kite.
Each flag can be set in the environment.
`,
  rows: [
    row(PREFIX, "public-host", "HOST:PORT", "where it is reached; 127.0.0.1 and -port by default"),
    row(PREFIX, "private-key", "PATH", "the key that signs tokens, PEM; made at the start if none"),
    row(PREFIX, "public-key", "PATH", "accepted for Go's sake; the private key is enough"),
    row(
      PREFIX,
      "version",
      "X.Y.Z",
      "the version under which it is listed; by default that of this package",
    ),
    ...commonRows(PREFIX),
  ],
  create(given) {
    const publicPlace = read(given, "public-host", readPlace);
    const privateKey = read(given, "private-key", readKey);
    read(given, "public-key", readKey);
    const version = read(given, "version", checkName);
    return new TunnelProxy({
      ...commonOptions(given),
      ...publicPlace,
      ...(privateKey === undefined ? {} : { privateKey }),
      ...(version === undefined ? {} : { version }),
    });
  },
};

function readPlace(name: string, text: string): { publicHost: string; publicPort?: number } {
  const url = new URL(checkUrl(name, `http://${text}/`));
  const publicHost = url.hostname.replace(/^\[|\]$/g, "");
  return /:\d+$/.test(text) ? { publicHost, publicPort: Number(url.port || 80) } : { publicHost };
}

function readKey(name: string, path: string): string {
  const text = readTextFileSync(checkPath(name, path));
  if (text !== undefined) return text;
  throw new KiteError("configError", `Cannot use ${name}: there is no file ${path}`);
}

/**
 * Runs the tunnel proxy until the process gets a signal to stop.
 *
 * @returns the exit code
 */
export function main(words: readonly string[]): Promise<number> {
  return runProxy(PROGRAM, words);
}

if (isMain(import.meta)) exit(await main(programArguments()));
