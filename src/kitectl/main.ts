/**
 * kitectl, the command line tool: `deno task kitectl --help`.
 *
 * @module
 */
import { CommanderError } from "commander";
import { KiteError } from "../protocol/errors.ts";
import { exit, isMain, onInterrupt, programArguments } from "../runtime/process.ts";
import { type Context, programName } from "./context.ts";
import { EXIT, exitCodeOf, type Failure } from "./exit_codes.ts";
import { createProgram } from "./program.ts";
import { Screen } from "./screen.ts";

/** Milliseconds that a command has to clean up after Ctrl-C. */
const CLEAN_UP_TIME = 2_000;

/**
 * Runs one command.
 *
 * @returns the exit code
 */
export async function main(words: readonly string[]): Promise<number> {
  const screen = new Screen();
  const controller = new AbortController();
  const interrupted = Promise.withResolvers<number>();
  const release = onInterrupt(() => {
    controller.abort(new KiteError("aborted", "Interrupted"));
    setTimeout(() => interrupted.resolve(EXIT.interrupted), CLEAN_UP_TIME);
  });
  const context: Context = {
    screen,
    signal: controller.signal,
    ignoreInterrupt: release,
    program: programName(),
  };
  try {
    return await Promise.race([run(context, words), interrupted.promise]);
  } finally {
    release();
  }
}

async function run(context: Context, words: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  const program = createProgram(context, (given) => code = given);
  try {
    await program.parseAsync(withDoubleDashes(words), { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    }
    if (context.signal.aborted) return EXIT.interrupted;
    const known = exitCodeOf(error);
    if (known === undefined) throw error;
    const { message, hint } = error as Failure | (KiteError & { hint?: undefined });
    context.screen.error(message, hint);
    return known;
  }
}

/** Accepts options with one dash, as Go's kitectl does: `-name=math`. */
function withDoubleDashes(words: readonly string[]): string[] {
  // The words after `run` belong to the kite.
  if (words[0] === "run") return [...words];
  const end = words.indexOf("--");
  return words.map((word, i) => {
    const isOption = (end < 0 || i < end) && /^-[a-z]{2,}[a-z-]*(=|$)/.test(word);
    return isOption ? `-${word}` : word;
  });
}

if (isMain(import.meta)) exit(await main(programArguments()));
