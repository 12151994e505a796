import { WrongFlag } from "../../tools/command_line.ts";

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
