import { isServiceValue, misspeltVariables } from "./config_variables.ts";
import { cannotUse, unknownName } from "./protocol/refusal.ts";

/** One setting of a program: its flag, its environment variable, and its help text. */
export interface SettingRow {
  /** The flag without its dashes, such as `postgres-host`. */
  readonly flag: string;
  /** `""` for a flag without an environment variable. */
  readonly variable: string;
  /** The placeholder of the value in the help; `""` for a flag without a value. */
  readonly value: string;
  readonly help: string;
}

/** The given settings by flag: the name of the flag or variable, for messages, and the text. */
export type GivenSettings = ReadonlyMap<string, { readonly name: string; readonly text: string }>;

/**
 * Reads settings from the command line (`-name=value`, `--name value`) and from the environment. Flags
 * override variables.
 *
 * @throws {KiteError} `configError` for an unknown flag, or one without its value
 */
export function readSettings(
  rows: readonly SettingRow[],
  words: readonly string[],
  env: (name: string) => string | undefined,
  warn: (message: string) => void = () => {},
): GivenSettings {
  const given = new Map<string, { name: string; text: string }>();
  for (const { flag, variable } of rows) {
    const text = variable === "" ? undefined : env(variable);
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

/** Returns the help text, with one line for each setting. */
export function settingsHelp(rows: readonly SettingRow[]): string {
  const left = rows.map(({ flag, value }) => `  -${flag}${value === "" ? "" : `=${value}`}`);
  const width = Math.max(...left.map((text) => text.length)) + 2;
  return rows.map(({ variable, help }, i) => {
    return `${left[i]!.padEnd(width)}${help}${variable === "" ? "" : ` [${variable}]`}`;
  }).join("\n");
}

/** True if the arguments contain `-version` without a value. With a value it may be a setting. */
export function asksForVersion(words: readonly string[]): boolean {
  return words.some((word, i) =>
    /^--?version$/i.test(word) && (words[i + 1] ?? "-").startsWith("-")
  );
}

/** Returns warnings about variables that are probably misspelt names of these settings. */
export function settingsWarnings(
  prefix: string,
  rows: readonly SettingRow[],
  names: readonly string[],
): string[] {
  return misspeltVariables(prefix, rows.map(({ variable }) => variable), names);
}
