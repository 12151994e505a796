/**
 * `deno task bench runtimes [--rounds N] [--seconds N] [--strict]`: the npm package on Deno, Node and
 * Bun, as a server and as a client, with kite.js and Cap'n Web on Node beside it. One connection, 64
 * calls in flight, fresh processes for each run.
 *
 * @module
 */
import { fromFileUrl } from "../../../tools/paths.ts";
import { KITEJS_PEER, lack } from "../../../tools/parts.ts";
import { prepareParts } from "../../../tools/prepare.ts";
import { findRuntimes, Project } from "../../npm/support.ts";
import { readEffort } from "../flags.ts";
import { printLine, reportLine } from "../output.ts";
import { freePort, type Program, runToEnd, startServer } from "../processes.ts";
import { median } from "../statistics.ts";

/** How much faster than the fastest peer on Node this package has to be there. */
const LEAST_LEAD = 1.3;
const IN_FLIGHT = 64;
const WARM_UP = 1;

/** One row of the table. */
interface Row {
  readonly name: string;
  readonly server: (port: number) => Program;
  readonly client: (port: number, numbers: readonly string[]) => Program;
}

interface Report {
  readonly p50: number;
  readonly perSecond: number;
}

/** The runtimes, by name: the command line before the script. */
function commandLines(): Map<string, readonly string[]> {
  const lines = new Map<string, readonly string[]>([
    ["Deno", [Deno.execPath(), "run", "--quiet", "--allow-all"]],
  ]);
  for (const { name, program } of findRuntimes()) lines.set(name, [program]);
  return lines;
}

function rowsOf(folder: string): Row[] {
  const lines = commandLines();
  const node = lines.get("Node 24") ?? lines.get("Node 22") ?? ["node"];
  const program = (line: readonly string[], script: string, words: readonly string[]): Program => {
    const [command = "", ...args] = line;
    const env = { NODE_PATH: `${fromFileUrl(KITEJS_PEER)}node_modules` };
    return { command, args: [...args, script, ...words], env };
  };
  const pair = (
    name: string,
    server: readonly string[],
    client: readonly string[],
    script: string,
    ...library: string[]
  ): Row => ({
    name,
    server: (port) => program(server, script, [...library, "serve", `${port}`]),
    client: (port, numbers) => program(client, script, [...library, "call", `${port}`, ...numbers]),
  });
  const ours = `${folder}/peer.mjs`;
  const deno = lines.get("Deno")!;
  const rows = [...lines].flatMap(([name, line]) => [
    pair(`server on ${name}, client on Deno`, line, deno, ours, "ours"),
    ...(name === "Deno"
      ? []
      : [pair(`client on ${name}, server on Deno`, deno, line, ours, "ours")]),
  ]);
  const kitejs = fromFileUrl(new URL("../kitejs.cjs", import.meta.url));
  return [
    ...rows,
    pair(OURS_ON_NODE, node, node, ours, "ours"),
    ...(lack("node") === undefined ? [pair("kite.js, both on Node", node, node, kitejs)] : []),
    pair("Cap'n Web, both on Node", node, node, ours, "capnweb"),
  ];
}

const OURS_ON_NODE = "both on Node";

/**
 * Measures, and prints the table.
 *
 * @returns the exit code
 */
export async function benchRuntimes(words: string[]): Promise<number> {
  const { rounds, seconds, strict } = readEffort(words, 3);
  await prepareParts(["node"], reportLine);
  await using project = await Project.create("capnweb@0.12", "ws@8");
  const script = new URL("../peers/peer.mjs", import.meta.url);
  await project.write("peer.mjs", await Deno.readTextFile(script));
  const rows = rowsOf(project.folder);
  const found = new Map<string, Report[]>(rows.map(({ name }) => [name, []]));
  const numbers = [IN_FLIGHT, WARM_UP, seconds].map(String);
  for (let round = 1; round <= rounds; round++) {
    for (const { name, server, client } of round % 2 === 0 ? rows.toReversed() : rows) {
      reportLine(`round ${round} of ${rounds}: ${name}`);
      const port = freePort();
      await using _running = await startServer(server(port), port);
      found.get(name)?.push(await runToEnd<Report>(client(port, numbers)));
    }
  }
  return printTable(found) || !strict ? 0 : 1;
}

/** Prints the table, and returns whether the lead is large enough. */
function printTable(found: ReadonlyMap<string, readonly Report[]>): boolean {
  const rates = new Map<string, number>();
  printLine("| 64 calls in flight, one connection | calls a second | p50, ms |");
  printLine("| --- | ---: | ---: |");
  for (const [name, reports] of found) {
    const rate = median(reports.map(({ perSecond }) => perSecond));
    rates.set(name, rate);
    const p50 = median(reports.map(({ p50 }) => p50));
    printLine(`| ${name} | ${Math.round(rate).toLocaleString("en-US")} | ${p50.toFixed(2)} |`);
  }
  const peers = ["kite.js, both on Node", "Cap'n Web, both on Node"];
  const fastest = Math.max(...peers.map((name) => rates.get(name) ?? 0));
  const lead = (rates.get(OURS_ON_NODE) ?? 0) / fastest;
  const isMet = lead >= LEAST_LEAD;
  printLine(
    `on Node ${lead.toFixed(2)} times the fastest peer, at least ${LEAST_LEAD} wanted: ` +
      (isMet ? "met" : "missed"),
  );
  return isMet;
}
