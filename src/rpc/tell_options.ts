import type { KiteError } from "../protocol/errors.ts";
import { cannotUse, unknownName } from "../protocol/refusal.ts";
import type { TellOptions } from "./remote.ts";

/** The options of a call that names none; such calls skip the checks. */
export const NO_OPTIONS: TellOptions = Object.freeze({});

type Rule = readonly [accepts: (value: unknown) => boolean, rule: string];

const RULES: { readonly [Name in keyof Required<TellOptions>]: Rule } = {
  timeout: [
    (value) => typeof value === "number" && value >= 0,
    "must be a number of milliseconds, or 0 for no limit",
  ],
  signal: [(value) => value instanceof AbortSignal, "must be an AbortSignal"],
  idempotent: [(value) => typeof value === "boolean", "must be true or false"],
  callbacks: [
    (value) => value === "auto" || value === "call" || value === "session",
    "must be auto, call or session",
  ],
};
const NAMES: readonly string[] = Object.keys(RULES);

/**
 * Checks how a call is made.
 *
 * @returns the `argumentError` for what cannot be used, if there is any
 */
export function checkTell(options: TellOptions, method: unknown): KiteError | undefined {
  if (typeof options !== "object" || options === null) {
    const rule = "must be an object; tellWith takes (options, method, ...arguments)";
    return cannotUse("options", rule, { value: options, type: "argumentError" });
  }
  if (typeof method !== "string" || method === "") {
    return cannotUse("method", "must be the name of a method", {
      value: method,
      type: "argumentError",
    });
  }
  for (const [name, value] of Object.entries(options)) {
    if (!NAMES.includes(name)) return unknownName("tell option", name, NAMES, "argumentError");
    const [accepts, rule] = RULES[name as keyof TellOptions];
    if (value === undefined || accepts(value)) continue;
    return cannotUse(name, rule, { value, type: "argumentError" });
  }
  return undefined;
}
