/**
 * `deno task bench [--rounds N] [--only NAME] [--quick] [--strict]`: compares this kite with
 * a minimal Deno program that answers the same frames ("the floor"), the Go kite and kite.js.
 *
 * Every measurement starts new processes. The order is reversed in each round. The table shows
 * medians over all rounds. The exit code is 1 if a measurement failed or, with `--strict`, missed
 * its target.
 * `deno task bench kontrol` measures Kontrol instead, see kontrol/main.ts; `deno task bench proxy`
 * the reverse proxy, see proxy/main.ts; `deno task bench runtimes` the npm package on Node and Bun,
 * see runtimes/main.ts; `deno task bench peers` other RPC libraries, see peers/main.ts;
 * `deno task bench types` the type check of a large contract, see types/main.ts.
 *
 * @module
 */
import { GO_PEER, KITEJS_PEER, lack } from "../../tools/parts.ts";
import { fromFileUrl } from "../../tools/paths.ts";
import { prepareParts } from "../../tools/prepare.ts";
import { runProgram, UnknownWord, WrongFlag } from "../../tools/command_line.ts";
import type { Setting } from "./contenders.ts";
import { makeCredentials } from "./credentials.ts";
import { allMeasures, type Figures, FULL, type Measure, QUICK } from "./measures.ts";
import { readChoice } from "./flags.ts";
import { printLine, reportLine } from "./output.ts";
import { median } from "./statistics.ts";
import { makeTable, type Source } from "./table.ts";

const USAGE = `Usage: deno task bench [--rounds=3] [--only=NAME] [--quick] [--strict]
       deno task bench kontrol|proxy|runtimes|peers|types [flags]

  --rounds  how often each measurement runs; the table shows medians
  --only    runs only the measurement of this name
  --quick   makes each measurement short
  --strict  exits with 1 if a target is missed`;

/**
 * Runs every measurement once in each round.
 *
 * @returns the results of each, and the number of failures
 */
async function measure(
  measures: readonly Measure[],
  setting: Setting,
  rounds: number,
): Promise<{ found: Map<Measure, Figures[]>; failures: number }> {
  const found = new Map<Measure, Figures[]>(measures.map((one) => [one, []]));
  let failures = 0;
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? measures : measures.toReversed();
    for (const one of order) {
      reportLine(`round ${round + 1} of ${rounds}: ${one.name}, ${one.contender}`);
      try {
        const figures = await one.run(setting);
        found.get(one)?.push(figures);
        reportLine(`  ${JSON.stringify(figures)}`);
      } catch (error) {
        failures++;
        reportLine(`  could not run: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
  return { found, failures };
}

async function main(): Promise<number> {
  const { rounds, only, quick, strict } = readChoice(Deno.args);
  await prepareParts(["go", "node"], reportLine);
  const folder = await Deno.makeTempDir({ prefix: "kite_bench_" });
  try {
    const setting: Setting = {
      credentials: await makeCredentials(folder),
      goPeer: lack("go") === undefined ? fromFileUrl(GO_PEER) : undefined,
      kitejsFolder: lack("node") === undefined ? fromFileUrl(KITEJS_PEER) : undefined,
    };
    const everything = allMeasures(quick ? QUICK : FULL, setting);
    const measures = everything.filter(({ name }) => only === undefined || name === only);
    if (measures.length === 0) {
      const names = [...new Set(everything.map(({ name }) => name))];
      throw new WrongFlag("--only", only, `must be one of ${names.join(", ")}`);
    }
    const { found, failures } = await measure(measures, setting, rounds);
    const lookup = ({ measure, contender, figure }: Source): number | undefined => {
      const one = measures.find((each) => each.name === measure && each.contender === contender);
      const values = one && found.get(one)?.map((figures) => figures[figure] ?? NaN);
      return values === undefined || values.length === 0 ? undefined : median(values);
    };
    const { lines, misses } = makeTable(lookup);
    const { os, arch } = Deno.build;
    printLine(
      `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}, ` +
        `${os} ${Deno.osRelease()} ${arch}; medians of ${rounds} rounds` +
        [lack("go"), lack("node")].filter((line) => line !== undefined).map((line) => `; ${line}`)
          .join(""),
    );
    for (const line of lines) printLine(line);
    return failures > 0 || strict && misses > 0 ? 1 : 0;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs the bench that the first word names, or the one of calls and connections. */
async function choose([word, ...words]: string[]): Promise<number> {
  if (word === "proxy") return await (await import("./proxy/main.ts")).benchProxy(words);
  if (word === "runtimes") return await (await import("./runtimes/main.ts")).benchRuntimes(words);
  if (word === "peers") return await (await import("./peers/main.ts")).benchPeers(words);
  if (word === "types") return await (await import("./types/main.ts")).benchTypes(words);
  if (word === "kontrol") return await (await import("./kontrol/main.ts")).benchKontrol(words);
  if (word !== undefined && !word.startsWith("-")) {
    throw new UnknownWord("bench", word, ["kontrol", "proxy", "runtimes", "peers", "types"]);
  }
  return await main();
}

if (import.meta.main) await runProgram(USAGE, Deno.args, () => choose(Deno.args));
