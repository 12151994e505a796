/**
 * Checks the flags that `deno task test` hands to `deno test`, which would report a wrong one only
 * after everything is prepared.
 *
 * @module
 */

import { UnknownWord } from "./command_line.ts";
import { deno } from "./commands.ts";

/** A flag in the help of Deno; some have a letter too. */
const FLAG = /^ +(?:(-\w), )?(--[\w-]+)/gm;

/**
 * @throws {UnknownWord} for a flag that `deno test` does not have
 */
export async function checkTestFlags(words: readonly string[]): Promise<void> {
  const end = words.indexOf("--");
  const given = words.slice(0, end < 0 ? words.length : end)
    .filter((word) => word.startsWith("-") && !word.startsWith("--unstable"));
  if (given.length === 0) return;
  const { stdout } = await deno(["test", "--help"]);
  const names = [...stdout.matchAll(FLAG)].flatMap(([, letter, name]) => [letter, name])
    .filter((name) => name !== undefined);
  for (const word of given) {
    const [flag = ""] = word.split("=");
    if (flag.startsWith("--") && !names.includes(flag)) {
      throw new UnknownWord("flag", flag, names);
    }
    if (/^-\w/.test(flag) && !names.includes(flag.slice(0, 2))) {
      throw new UnknownWord("flag", flag, []);
    }
  }
}
