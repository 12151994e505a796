import { isServiceValue, misspeltVariables } from "./config_variables.ts";
import { cannotUse, unknownName } from "./protocol/refusal.ts";

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
  warn: (message: string) => void = () => {},
): GivenSettings {
  const given = new Map<string, { name: string; text: string }>();
  for (const { flag, variable } of rows) {
    const text = env(variable);
    if (text !== undefined && isServiceValue(text)) {
      warn(`Ignoring the variable ${variable}: it describes a service of Kubernetes`);
    } else if (text !== undefined && text !== "") given.set(flag, { name: variable, text });
  }
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const match = /^--?([a-z][a-z0-9-]*)(?:=(.*))?$/is.exec(word);
    if (match === null) {
      throw cannotUse("argument", "must be a flag such as -port=4000", { value: word });
    }
    const name = match[1]!.toLowerCase();
    const flag = name === "h" ? "help" : name;
    const row = rows.find((one) => one.flag === flag);
    if (row === undefined) throw unknownName("flag", `-${flag}`, rows.map((one) => `-${one.flag}`));
    let text = match[2];
    if (text === undefined && row.value === "") text = "true";
    if (text === undefined) text = words[++i];
    if (text === undefined) {
      throw cannotUse(`-${flag}`, `must have a value: -${flag}=${row.value}`);
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

/**
 * True if the words ask for the program's version: `-version` without a value. With one it may be a
 * setting.
 */
export function asksForVersion(words: readonly string[]): boolean {
  return words.some((word, i) =>
    /^--?version$/i.test(word) && (words[i + 1] ?? "-").startsWith("-")
  );
}

/** Warnings about variables that are misspelt ones of these settings. */
export function settingsWarnings(
  prefix: string,
  rows: readonly SettingRow[],
  names: readonly string[],
): string[] {
  return misspeltVariables(prefix, rows.map(({ variable }) => variable), names);
}
