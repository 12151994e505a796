/**
 * The reverse proxy as a program: `deno task reverseproxy -help`.
 *
 * @module
 */
import { checkHost, readPort } from "../../config_values.ts";
import { VERSION } from "../../protocol/package_version.ts";
import { exit, isMain, programArguments } from "../../runtime/process.ts";
import { commonOptions, commonRows, type ProxyProgram, read, readSwitch, row } from "../program.ts";
import { runProxy } from "../program.ts";
import { ReverseProxy } from "./proxy.ts";

const PREFIX = "REVERSEPROXY";

const PROGRAM: ProxyProgram = {
  name: "reverseproxy",
  version: VERSION,
  help: `A reverse proxy: it makes kites reachable through one host and port.

Usage: reverseproxy [-flag=value ...]

Its kite.key, and with it its Kontrol, come from the usual place: KITE_HOME, or ~/.kite.
Each flag can be set in the environment.
`,
  rows: [
    row(PREFIX, "publichost", "HOST", "the host under which it is reached; 127.0.0.1 by default"),
    row(PREFIX, "publicport", "PORT", "the port under which it is reached; -port by default"),
    row(PREFIX, "refuseprivate", "BOOL", "refuse kites at private addresses; false by default"),
    ...commonRows(PREFIX),
  ],
  create(given) {
    const publicHost = read(given, "publichost", checkHost);
    // As in Go's proxy, 0 means the port that the proxy listens on.
    const publicPort = read(given, "publicport", readPort) || undefined;
    return new ReverseProxy({
      ...commonOptions(given),
      ...(publicHost === undefined ? {} : { publicHost }),
      ...(publicPort === undefined ? {} : { publicPort }),
      refusePrivateAddresses: readSwitch(given, "refuseprivate", false),
    });
  },
};

/**
 * Runs the reverse proxy until the process gets a signal to stop.
 *
 * @returns the exit code
 */
export function main(words: readonly string[]): Promise<number> {
  return runProxy(PROGRAM, words);
}

if (isMain(import.meta)) exit(await main(programArguments()));
