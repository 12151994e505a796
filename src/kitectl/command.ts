import type { Command } from "commander";
import type { Check } from "../config_values.ts";
import { KiteError } from "../protocol/errors.ts";
import { EXIT, Failure } from "./exit_codes.ts";
import { readWait } from "../config_values.ts";
import type { Context } from "./context.ts";

/**
 * Adds one command, or a group of commands, to the program.
 *
 * @param end takes an exit code other than 0 of a command that does not throw
 */
export type AddCommand = (
  program: Command,
  context: Context,
  end: (code: number) => void,
) => void;

/** The examples below the help of a command. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/**
 * Checks what the user gave.
 *
 * @throws {Failure} with the exit code for wrong usage
 */
export function readOption<Value>(check: Check<Value>, name: string, value: unknown): Value {
  try {
    return check(name, value);
  } catch (error) {
    if (!(error instanceof KiteError)) throw error;
    throw new Failure(error.message, { code: EXIT.usage });
  }
}

/** Milliseconds of an option that takes a duration such as `15s`, or a number of seconds. */
export function readTime(option: string, text: string): number {
  const duration = /^\d+(\.\d+)?$/.test(text) ? `${text}s` : text;
  return readOption((name) => readWait(name, duration), option, text);
}
