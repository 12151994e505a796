import { readFlags, WrongFlag } from "../../tools/command_line.ts";

/**
 * Reads the value of a flag that counts something.
 *
 * @param flag with its dashes
 * @throws {WrongFlag} unless it is an integer of at least 1
 */
export function readCount(flag: string, value: string | undefined): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new WrongFlag(flag, value, "must be an integer of at least 1");
}

/** The flags of a bench with a table of limits. */
export interface Choice {
  readonly rounds: number;
  readonly only: string | undefined;
  readonly quick: boolean;
  readonly strict: boolean;
}

/** Reads `--rounds=3 --only=NAME --quick --strict`. */
export function readChoice(words: readonly string[]): Choice {
  const { values: { rounds, only, quick, strict } } = readFlags(words, {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    quick: { type: "boolean", default: false },
    strict: { type: "boolean", default: false },
  });
  return { rounds: readCount("--rounds", rounds), only, quick, strict };
}

/**
 * Reads `--rounds=3 --seconds --strict`.
 *
 * @param defaultSeconds how long a measurement takes unless the flag says so
 */
export function readEffort(
  words: readonly string[],
  defaultSeconds: number,
): { rounds: number; seconds: number; strict: boolean } {
  const { values: { rounds, seconds, strict } } = readFlags(words, {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: `${defaultSeconds}` },
    strict: { type: "boolean", default: false },
  });
  return {
    rounds: readCount("--rounds", rounds),
    seconds: readCount("--seconds", seconds),
    strict,
  };
}
