/**
 * `deno task bench types [--rounds=3] [--strict]`: how long `deno check` takes in a project that has
 * installed the package, for a contract of 1,000 methods with its implementation and a call of each.
 *
 * Exits with 1 if a check fails or, with `--strict`, if the limit is missed.
 *
 * @module
 */
import { readFlags } from "../../../tools/command_line.ts";
import { emptyModule, moduleWithMethods } from "../../contract/many_methods.ts";
import { Project } from "../../npm/support.ts";
import { readCount } from "../flags.ts";
import { printLine, reportLine } from "../output.ts";
import { median } from "../statistics.ts";

const METHODS = 1_000;
/** The seconds that the contract may take, in addition to an empty file. */
const LIMIT = 2;

/** What is checked, by the name in the table. */
const PROGRAMS = {
  "an empty file": "export {};\n",
  "the imports of the package and of zod": emptyModule("@kite/kite"),
  "a contract of 1,000 methods": moduleWithMethods("@kite/kite", METHODS),
};

type Name = keyof typeof PROGRAMS;

/**
 * Runs the bench and prints its table.
 *
 * @returns the exit code
 */
export async function benchTypes(words: readonly string[]): Promise<number> {
  const { values } = readFlags(words, {
    rounds: { type: "string", default: "3" },
    strict: { type: "boolean", default: false },
  });
  const rounds = readCount("--rounds", values.rounds);
  reportLine("building the package, and installing it in an empty project");
  await using project = await Project.create("zod@4");
  await project.write("deno.json", JSON.stringify({ nodeModulesDir: "manual" }));
  const names = Object.keys(PROGRAMS) as Name[];
  const found = new Map<Name, number[]>(names.map((name) => [name, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const name of names) {
      reportLine(`round ${round} of ${rounds}: ${name}`);
      found.get(name)?.push(await check(project, PROGRAMS[name]));
    }
  }
  return printTable(found) || !values.strict ? 0 : 1;
}

/**
 * Checks a module.
 *
 * @returns the seconds it took
 */
async function check(project: Project, text: string): Promise<number> {
  const file = `${crypto.randomUUID()}.ts`;
  // Deno does not check a text again that has passed before.
  await project.write(file, `${text}// ${file}\n`);
  const start = performance.now();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", file],
    cwd: project.folder,
    stdin: "null",
  }).output();
  const seconds = (performance.now() - start) / 1_000;
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return seconds;
}

/** Prints the table, and returns whether the contract keeps the limit. */
function printTable(found: ReadonlyMap<Name, readonly number[]>): boolean {
  const secondsOf = (name: Name): number => median([...found.get(name)!]);
  const empty = secondsOf("an empty file");
  printLine("| deno check | seconds | more than an empty file |");
  printLine("| --- | ---: | ---: |");
  for (const name of found.keys()) {
    const seconds = secondsOf(name);
    printLine(`| ${name} | ${seconds.toFixed(2)} | ${(seconds - empty).toFixed(2)} |`);
  }
  const more = secondsOf("a contract of 1,000 methods") - empty;
  const isMet = more <= LIMIT;
  printLine(
    `${more.toFixed(2)} seconds more, at most ${LIMIT} wanted: ${isMet ? "met" : "missed"}`,
  );
  return isMet;
}
