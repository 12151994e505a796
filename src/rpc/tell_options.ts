import type { KiteError } from "../protocol/errors.ts";
import { cannotUse, unknownName } from "../protocol/refusal.ts";
import { FIRST_CREDIT } from "./first_credit.ts";
import { isTrackingId, LAST_ID } from "./tracked.ts";
import type { TellOptions } from "./remote.ts";

/** The options of a call without options, which need no check. */
export const NO_OPTIONS: TellOptions = Object.freeze({});

type Rule = readonly [accepts: (value: unknown) => boolean, rule: string];

const RULES: { readonly [Name in keyof Required<TellOptions>]: Rule } = {
  timeout: [
    (value) => typeof value === "number" && value >= 0,
    "must be a number of milliseconds, or 0 for no limit",
  ],
  signal: [(value) => value instanceof AbortSignal, "must be an AbortSignal"],
  within: [isScope, "must be a request"],
  meta: [isMetadata, "must be an object of strings"],
  lastId: [isTrackingId, "must be a string of 1 to 1,024 characters"],
  idempotent: [(value) => typeof value === "boolean", "must be true or false"],
  callbacks: [
    (value) => value === "auto" || value === "call" || value === "session",
    "must be auto, call or session",
  ],
};
const NAMES: readonly string[] = Object.keys(RULES);

/**
 * Checks the options of a call.
 *
 * @returns an `argumentError` if an option cannot be used
 */
export function checkTell(options: TellOptions, method: unknown): KiteError | undefined {
  if (typeof options !== "object" || options === null) {
    const rule = "must be an object; tellWith takes (options, method, ...arguments)";
    return refuse("options", rule, options);
  }
  if (typeof method !== "string" || method === "") {
    return refuse("method", "must be the name of a method", method);
  }
  for (const [name, value] of Object.entries(options)) {
    if (!NAMES.includes(name)) return unknownName("tell option", name, NAMES, "argumentError");
    const [accepts, rule] = RULES[name as keyof TellOptions];
    if (value === undefined || accepts(value)) continue;
    return refuse(name, rule, value);
  }
  return undefined;
}

/**
 * Applies what a call inherits from the request in which it is made.
 *
 * @param timeout default timeout, milliseconds
 * @returns options without `within`
 */
export function resolveWithin(options: TellOptions, timeout: number): TellOptions {
  if (options.within === undefined) return options;
  const { within, ...own } = options;
  const asked = own.timeout ?? timeout;
  const wait = asked === 0 ? Infinity : asked;
  const left = within.deadline === undefined ? Infinity : within.deadline - Date.now();
  const signal = own.signal === undefined
    ? within.signal
    : AbortSignal.any([own.signal, within.signal]);
  // If the deadline has passed, the signal is aborted within the same millisecond.
  const bound = Math.min(wait, Math.max(1, left));
  const { [LAST_ID]: _position, [FIRST_CREDIT]: _credit, ...inherited } = within.meta;
  return {
    ...own,
    timeout: bound === Infinity ? 0 : bound,
    signal,
    meta: { ...inherited, ...own.meta },
  };
}

function refuse(name: string, rule: string, value: unknown): KiteError {
  return cannotUse(name, rule, { value, type: "argumentError" });
}

function isScope(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    (value as { signal?: unknown }).signal instanceof AbortSignal;
}

function isMetadata(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    Object.values(value).every((text) => typeof text === "string");
}
