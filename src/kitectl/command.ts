import type { Command } from "commander";
import { type Check, readWait } from "../config_values.ts";
import { KiteError } from "../protocol/errors.ts";
import { EXIT, Failure } from "./exit_codes.ts";
import type { Context } from "./context.ts";

/**
 * Adds one command, or a group of commands, to the program.
 *
 * @param end called with the exit code of a command that fails without throwing
 */
export type AddCommand = (
  program: Command,
  context: Context,
  end: (code: number) => void,
) => void;

/** Adds examples to the help of a command. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/**
 * Runs a function that reads an argument or option of the user.
 *
 * @throws {Failure} with the exit code for wrong usage, if the function throws a `KiteError`
 */
export function readGiven<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof KiteError)) throw error;
    throw new Failure(error.message, { code: EXIT.usage });
  }
}

/**
 * Checks the value of an argument or option.
 *
 * @throws {Failure} with the exit code for wrong usage
 */
export function readOption<Value>(check: Check<Value>, name: string, value: unknown): Value {
  return readGiven(() => check(name, value));
}

/** Reads a duration such as `15s`, or a number of seconds. Returns milliseconds. */
export function readTime(option: string, text: string): number {
  const duration = /^\d+(\.\d+)?$/.test(text) ? `${text}s` : text;
  return readOption((name) => readWait(name, duration), option, text);
}
