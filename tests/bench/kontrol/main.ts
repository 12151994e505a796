/**
 * `deno task bench kontrol [--rounds N] [--only NAME] [--quick] [--strict]`: compares this Kontrol
 * on each of its storages with the Go Kontrol on PostgreSQL.
 *
 * Every measurement has fresh processes and an empty storage; the order is reversed each round; the
 * table shows medians over the rounds. Exits with 1 when a measurement could not run, or, with
 * `--strict`, on a miss.
 *
 * @module
 */
import { WrongFlag } from "../../../tools/command_line.ts";
import { prepareParts } from "../../../tools/prepare.ts";
import { readChoice } from "../flags.ts";
import { printLine, reportLine } from "../output.ts";
import { median } from "../statistics.ts";
import { allMeasures, type Figures, FULL, type Measure, QUICK } from "./measures.ts";
import { prepareSetting } from "./setting.ts";
import { makeTable } from "./table.ts";

/**
 * Runs every measurement once in each round.
 *
 * @returns the results of each, and the number of failures
 */
async function measureAll(
  measures: readonly Measure[],
  rounds: number,
): Promise<{ found: Map<Measure, Figures[]>; failures: number }> {
  const found = new Map<Measure, Figures[]>(measures.map((one) => [one, []]));
  let failures = 0;
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? measures : measures.toReversed()) {
      reportLine(`round ${round + 1} of ${rounds}: ${one.name}, ${one.contender}`);
      try {
        const figures = await one.run();
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

/**
 * Runs the bench of Kontrol and prints its table.
 *
 * @returns the exit code
 */
export async function benchKontrol(words: readonly string[]): Promise<number> {
  const { rounds, only, quick, strict } = readChoice(words);
  await prepareParts(["go", "node"], reportLine);
  await using setting = await prepareSetting();
  const everything = allMeasures(quick ? QUICK : FULL, setting);
  const measures = everything.filter(({ name }) => only === undefined || name === only);
  if (measures.length === 0) {
    const names = [...new Set(everything.map(({ name }) => name))];
    throw new WrongFlag("--only", only, `must be one of ${names.join(", ")}`);
  }
  const { found, failures } = await measureAll(measures, rounds);
  const { lines, misses } = makeTable((name, contender, figure) => {
    const one = measures.find((each) => each.name === name && each.contender === contender);
    const values = one && found.get(one)?.map((figures) => figures[figure] ?? NaN);
    return values === undefined || values.length === 0 ? undefined : median(values);
  });
  const { os, arch } = Deno.build;
  printLine(
    `${navigator.hardwareConcurrency} cores, Deno ${Deno.version.deno}, ${os} ${Deno.osRelease()} ` +
      `${arch}; medians of ${rounds} rounds${setting.lacks.map((line) => `; ${line}`).join("")}`,
  );
  for (const line of lines) printLine(line);
  return failures > 0 || strict && misses > 0 ? 1 : 0;
}
