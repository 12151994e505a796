/**
 * `deno task bench peers [--rounds N] [--seconds N] [--strict]`: this library and other RPC libraries
 * of npm on Node, with the same call and the same stream. One connection, fresh processes for each
 * run.
 *
 * @module
 */
import { findRuntimes, Project } from "../../npm/support.ts";
import { readEffort } from "../flags.ts";
import { printLine, reportLine } from "../output.ts";
import { freePort, type Program, runToEnd, startServer } from "../processes.ts";
import { median } from "../statistics.ts";

const PACKAGES = [
  "@orpc/client@1",
  "@orpc/server@1",
  "@trpc/client@11",
  "@trpc/server@11",
  "capnweb@0.12",
  "rpc-websockets@10",
  "socket.io@4",
  "socket.io-client@4",
  "ws@8",
];

const WARM_UP = 1;
const ITEMS = 200_000;

/** What is measured, with how much faster than each peer, and than rpc-websockets, this library is. */
const MEASURES = [
  { name: "64 in flight", words: ["call", "64"], least: 1, leastOfFastest: 1.5 },
  { name: "512 in flight", words: ["call", "512"], least: 1, leastOfFastest: 2 },
  { name: "stream", words: ["stream", `${ITEMS}`], least: 1, leastOfFastest: 1 },
] as const;

const FASTEST = "rpc-websockets";
const OURS = ["ours on Deno", "ours on Node"] as const;
const PEERS = [FASTEST, "capnweb", "socket.io", "trpc", "orpc"] as const;

type Contender = typeof OURS[number] | typeof PEERS[number];

interface Report {
  readonly perSecond: number;
}

/** Results by contender, then by measure: calls or items a second. */
type Rates = Map<Contender, Map<string, number[]>>;

function programOf(contender: Contender, node: string, folder: string, words: string[]): Program {
  const script = `${folder}/peer.mjs`;
  if (contender === "ours on Deno") {
    const args = ["run", "--quiet", "--allow-all", script, "ours", ...words];
    return { command: Deno.execPath(), args };
  }
  const library = contender === "ours on Node" ? "ours" : contender;
  return { command: node, args: [script, library, ...words] };
}

/**
 * Measures, and prints the table.
 *
 * @returns the exit code
 */
export async function benchPeers(words: string[]): Promise<number> {
  const { rounds, seconds, strict } = readEffort(words, 3);
  const node = findRuntimes().find(({ name }) => name === "Node 24")?.program;
  if (node === undefined) throw new Error("Cannot run the bench: Node 24 is missing");
  await using project = await Project.create(...PACKAGES);
  const { folder } = project;
  await project.write("peer.mjs", await Deno.readTextFile(new URL("peer.mjs", import.meta.url)));
  const contenders: readonly Contender[] = [...OURS, ...PEERS];
  const rates: Rates = new Map(contenders.map((name) => [name, new Map()]));
  for (let round = 1; round <= rounds; round++) {
    for (const contender of round % 2 === 0 ? contenders.toReversed() : contenders) {
      for (const { name, words: [role, number] } of MEASURES) {
        reportLine(`round ${round} of ${rounds}: ${contender}, ${name}`);
        const port = freePort();
        const serve = programOf(contender, node, folder, ["serve", `${port}`]);
        await using _server = await startServer(serve, port);
        const times = role === "call" ? [`${WARM_UP}`, `${seconds}`] : [];
        const ask = programOf(contender, node, folder, [role, `${port}`, number, ...times]);
        try {
          const { perSecond } = await runToEnd<Report>(ask);
          const known = rates.get(contender)!;
          known.set(name, [...known.get(name) ?? [], perSecond]);
        } catch (error) {
          reportLine(`  could not run: ${error instanceof Error ? error.message : error}`);
        }
      }
    }
  }
  return printTable(rates) || !strict ? 0 : 1;
}

/** Prints the table, and returns whether this library is as much faster as it must be. */
function printTable(rates: Rates): boolean {
  const rateOf = (contender: Contender, measure: string): number | undefined => {
    const found = rates.get(contender)?.get(measure);
    return found === undefined ? undefined : median(found);
  };
  const names = MEASURES.map(({ name }) => name);
  printLine(`| a second | ${names.join(" | ")} |`);
  printLine(`| --- | ${names.map(() => "---:").join(" | ")} |`);
  for (const contender of rates.keys()) {
    const cells = names.map((name) => {
      const rate = rateOf(contender, name);
      return rate === undefined ? "" : Math.round(rate).toLocaleString("en-US");
    });
    printLine(`| ${contender} | ${cells.join(" | ")} |`);
  }
  let areMet = true;
  for (const ours of OURS) {
    for (const peer of PEERS) {
      const ratios = MEASURES.map(({ name, least, leastOfFastest }) => {
        const [mine, other] = [rateOf(ours, name), rateOf(peer, name)];
        if (mine === undefined || other === undefined) return `${name}: not measured`;
        const wanted = peer === FASTEST ? leastOfFastest : least;
        const isMet = mine / other >= wanted;
        areMet &&= isMet;
        return `${name} ${(mine / other).toFixed(2)} (>= ${wanted}) ${isMet ? "ok" : "MISS"}`;
      });
      printLine(`${ours}, times ${peer}: ${ratios.join("; ")}`);
    }
  }
  return areMet;
}
