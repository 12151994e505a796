import { KiteError } from "./protocol/errors.ts";
import { nearestName } from "./protocol/nearest.ts";

/** One setting: its flag, its environment variable, and what to say of it. */
export interface SettingRow {
  /** The flag without its dashes, such as `postgres-host`. */
  readonly flag: string;
  readonly variable: string;
  /** What stands for the value in the help; `""` for a switch. */
  readonly value: string;
  readonly help: string;
}

/** What was given, by flag: where it came from, for messages, and its text. */
export type GivenSettings = ReadonlyMap<string, { readonly name: string; readonly text: string }>;

/**
 * Reads settings from the command line (`-name=value`, `--name value`) over those of the environment.
 *
 * @throws {KiteError} `configError` that names what is unknown or lacks a value
 */
export function readSettings(
  rows: readonly SettingRow[],
  words: readonly string[],
  env: (name: string) => string | undefined,
): GivenSettings {
  const given = new Map<string, { name: string; text: string }>();
  for (const { flag, variable } of rows) {
    const text = env(variable);
    if (text !== undefined && text !== "") given.set(flag, { name: variable, text });
  }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/is.exec(word);
    if (match === null) {
      throw new KiteError("configError", `"${word}" is no flag; flags look like -port=4000`);
    }
    const flag = match[1]!.toLowerCase();
    const row = rows.find((one) => one.flag === flag);
    if (row === undefined) throw unknownFlag(word, flag, rows);
    let text = match[2];
    if (text === undefined && row.value === "") text = "true";
    if (text === undefined) text = words[++i];
    if (text === undefined) {
      throw new KiteError("configError", `-${flag} needs a value: -${flag}=${row.value}`);
    }
    given.set(flag, { name: `-${flag}`, text });
  }
  return given;
}

/** The help: a line a setting. */
export function settingsHelp(rows: readonly SettingRow[]): string {
  const left = rows.map(({ flag, value }) => `  -${flag}${value === "" ? "" : `=${value}`}`);
  const width = Math.max(...left.map((text) => text.length)) + 2;
  return rows.map(({ variable, help }, i) => `${left[i]!.padEnd(width)}${help} [${variable}]`).join(
    "\n",
  );
}

function unknownFlag(word: string, flag: string, rows: readonly SettingRow[]): KiteError {
  const near = nearestName(flag, rows.map((row) => row.flag));
  const hint = near === undefined ? "-help lists them" : `did you mean -${near}?`;
  return new KiteError("configError", `${word}: there is no such flag; ${hint}`);
}
