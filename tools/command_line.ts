/**
 * The command line of programs that developers run: the tasks `bench`, `soak`, `compile`, `npm` and
 * `test`.
 *
 * @module
 */

import { parseArgs, type ParseArgsOptionsConfig } from "node:util";
import { nearestName } from "../src/protocol/nearest.ts";

/** A flag with a value that the program cannot use. */
export class WrongFlag extends Error {
  constructor(flag: string, value: unknown, rule: string) {
    super(`Cannot use ${flag} "${value}": ${rule}`);
  }
}

/** The number of known words up to which an error lists all of them. */
const MOST_LISTED = 12;

/** A word that the program does not know. */
export class UnknownWord extends Error {
  /**
   * @param kind such as "flag"
   * @param known the words of that kind
   */
  constructor(kind: string, word: string, known: readonly string[]) {
    const near = nearestName(word, known);
    const hint = near !== undefined
      ? `; did you mean ${near}?`
      : known.length === 0 || known.length > MOST_LISTED
      ? ""
      : `; must be one of ${known.join(", ")}`;
    super(`There is no ${kind} ${word}${hint}`);
  }
}

/**
 * Reads the flags of a program, with one dash or two.
 *
 * @throws {UnknownWord} for a flag that is not in `options`
 */
export function readFlags<Options extends ParseArgsOptionsConfig>(
  words: readonly string[],
  options: Options,
  settings: { readonly allowPositionals?: boolean } = {},
): ReturnType<typeof parseArgs<{ options: Options; allowPositionals: true }>> {
  const { allowPositionals = false } = settings;
  const args = words.map((word) => word.replace(/^-(?=[a-z])/, "--"));
  for (const [index, arg] of args.entries()) {
    const name = /^--([^=]+)/.exec(arg)?.[1];
    if (name === undefined || name in options) continue;
    const known = Object.keys(options).map((each) => flagLike(words[index]!, each));
    throw new UnknownWord("flag", flagLike(words[index]!, name), known);
  }
  const parsed = parseArgs({ args, options, allowPositionals: true });
  const [word] = parsed.positionals;
  if (word !== undefined && !allowPositionals) throw new UnknownWord("argument", word, []);
  return parsed;
}

/** Writes a flag's name with as many dashes as the user wrote. */
function flagLike(word: string, name: string): string {
  return (word.startsWith("--") ? "--" : "-") + name;
}

/**
 * Runs a program and exits with the code that it returns. Prints its usage for `--help`, and after
 * an error in its flags, which has exit code 2.
 */
export async function runProgram(
  usage: string,
  args: readonly string[],
  main: () => Promise<number>,
): Promise<never> {
  if (args.some((arg) => arg === "--help" || arg === "-help" || arg === "-h")) {
    console.log(usage);
    Deno.exit(0);
  }
  try {
    return Deno.exit(await main());
  } catch (error) {
    if (!(error instanceof Error) || !isWrongUse(error)) throw error;
    console.error(`${error.message}\n\n${usage}`);
    return Deno.exit(2);
  }
}

/** Whether it is a wrong flag, found here or by `parseArgs`. */
function isWrongUse(error: Error): boolean {
  const code = "code" in error ? String(error.code) : "";
  return error instanceof WrongFlag || error instanceof UnknownWord ||
    code.startsWith("ERR_PARSE_ARGS_");
}
