import { parseDuration } from "./protocol/duration.ts";
import { KiteError } from "./protocol/errors.ts";
import { validateField } from "./protocol/identity.ts";
import { DEFAULT_LIMITS, type Limits } from "./protocol/limits.ts";
import { cannotUse, unknownName } from "./protocol/refusal.ts";
import { parseKiteUrl } from "./transport/url.ts";

/** Checks one setting. `name` is the option, variable or flag, for the error. */
export type Check<Value> = (name: string, value: unknown) => Value;

/** A check for each option of `Options`. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check<unknown> };

const PORT_RULE = "must be an integer from 0 to 65535";
const LOG_METHODS = Object.freeze(["fatal", "error", "warning", "info", "debug"]);

/** A field of a kite's identity. */
export function checkName(name: string, value: unknown): string {
  try {
    validateField(name, value);
    return value;
  } catch (error) {
    if (!(error instanceof KiteError)) throw error;
    throw new KiteError("configError", error.message, { cause: error });
  }
}

/** An address or host name to listen on. */
export function checkHost(name: string, value: unknown): string {
  if (typeof value === "string" && /^[\w.:%-]+$/.test(value) && isHost(value)) return value;
  throw cannotUse(name, "must be an address such as 0.0.0.0, :: or localhost", { value });
}

/** True for a host of a URL, and for an IPv6 address with a zone. */
function isHost(value: string): boolean {
  const host = value.replace(/%.*$/, "");
  return URL.canParse(`http://${host.includes(":") ? `[${host}]` : host}`);
}

/** A port, 0 for any free one. */
export function checkPort(name: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535) {
    return value as number;
  }
  throw cannotUse(name, PORT_RULE, { value });
}

/** A port, as text. */
export function readPort(name: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw cannotUse(name, PORT_RULE, { value: text });
}

/** Milliseconds of a wait, at least 1; `Infinity` waits forever. */
export function checkWait(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 1) return value;
  throw cannotUse(name, "must be a number of milliseconds, at least 1", { value });
}

/** Milliseconds of a wait, where 0 waits without a limit. */
export function checkTimeout(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 0) return value;
  throw cannotUse(name, "must be a number of milliseconds, or 0 for no limit", { value });
}

/** A wait, as a duration in Go's syntax. */
export function readWait(name: string, text: string): number {
  const milliseconds = readDuration(name, text);
  if (milliseconds >= 1) return milliseconds;
  throw cannotUse(name, "must be a duration of at least 1ms", { value: text });
}

/** Milliseconds for which something is cached; 0 disables the cache. */
export function checkTtl(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value;
  throw cannotUse(name, "must be a number of milliseconds, at least 0", { value });
}

/** A number in a range, both ends included. */
export function checkRange(least: number, most: number): Check<number> {
  return (name, value) => {
    if (typeof value === "number" && value >= least && value <= most) return value;
    const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
    throw cannotUse(name, `must be a number ${range}`, { value });
  };
}

/** A duration in Go's syntax, in milliseconds. */
export function readDuration(name: string, text: string): number {
  try {
    return parseDuration(text);
  } catch (cause) {
    if (!(cause instanceof KiteError)) throw cause;
    const rule = "must be a duration such as 15s, 5m, 1h30m or 500ms";
    throw cannotUse(name, rule, { value: text, cause });
  }
}

/** A URL of a kite. Removes a slash at the end, which Go's XHR client cannot handle. */
export function checkUrl(name: string, value: unknown): string {
  const text = typeof value === "string" ? value.trim() : "";
  parseKiteUrl(text, name);
  const end = text.search(/[?#]|$/);
  return text.slice(0, end).replace(/\/+$/, "") + text.slice(end);
}

/** One URL or several of them. */
export function checkUrls(name: string, value: unknown): readonly string[] {
  const urls: unknown[] = Array.isArray(value) ? value : [value];
  return urls.map((url) => checkUrl(name, url));
}

/** One of several words, in any case. */
export function checkWord<Word extends string>(words: readonly Word[]): Check<Word> {
  return (name, value) => {
    const lower = typeof value === "string" ? value.toLowerCase() : undefined;
    const word = words.find((each) => each.toLowerCase() === lower);
    if (word !== undefined) return word;
    throw cannotUse(name, `must be one of ${words.join(", ")}`, { value });
  };
}

/** True or false. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw cannotUse(name, "must be true or false", { value });
}

/** A function. */
export function checkFunction(name: string, value: unknown): unknown {
  if (typeof value === "function") return value;
  throw cannotUse(name, "must be a function", { value });
}

/** Any object. */
export function checkAnyObject(name: string, value: unknown): object {
  if (typeof value === "object" && value !== null) return value;
  throw cannotUse(name, "must be an object", { value });
}

/** A logger: an object with a method for each level. */
export function checkLogger(name: string, value: unknown): object {
  const logger = checkAnyObject(name, value) as Readonly<Record<string, unknown>>;
  for (const level of LOG_METHODS) {
    if (typeof logger[level] === "function") continue;
    throw cannotUse(name, `must have the methods ${LOG_METHODS.join(", ")}`);
  }
  return logger;
}

/** Text that must not appear in an error message. */
export function checkSecret(name: string, value: unknown): string {
  if (typeof value === "string") return value.trim();
  throw cannotUse(name, "must be text");
}

/** A key or certificate: PEM, trimmed. It does not appear in error messages. */
export function checkPem(name: string, value: unknown): string {
  const text = checkSecret(name, value);
  if (text.startsWith("-----BEGIN ") || text.includes("\n-----BEGIN ")) return text;
  throw cannotUse(name, 'must be PEM text with "-----BEGIN …" in it');
}

/** One PEM text or several of them. */
export function checkPems(name: string, value: unknown): readonly string[] {
  const texts: unknown[] = Array.isArray(value) ? value : [value];
  return texts.map((text) => checkPem(name, text));
}

/** The path of a file or directory. */
export function checkPath(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  throw cannotUse(name, "must be the path of a file or directory", { value });
}

function checkLimit(name: string, value: unknown): void {
  if (Number.isSafeInteger(value) && (value as number) >= 1) return;
  throw cannotUse(name, "must be an integer of at least 1", { value });
}

/** Limits that override the defaults. */
export function checkLimits(name: string, value: unknown): Partial<Limits> {
  const given = checkNames(name, value, Object.keys(DEFAULT_LIMITS));
  for (const [field, limit] of Object.entries(given)) {
    if (field === "firstMessage") checkTimeout(`${name}.${field}`, limit);
    else checkLimit(`${name}.${field}`, limit);
  }
  return given;
}

/**
 * Checks an options object: all names must exist, and all values must pass their checks.
 *
 * @param name the option that contains the object, such as `sockjs`; `""` for the options themselves
 * @returns the given options, without those that are `undefined`
 * @throws {KiteError} `configError`
 */
export function checkOptions<Options extends object>(
  name: string,
  value: unknown,
  checks: Checks<Options>,
): Partial<Options> {
  const given = checkNames(name, value, Object.keys(checks));
  const checked: Record<string, unknown> = {};
  for (const [field, each] of Object.entries(given)) {
    const check = checks[field as keyof Checks<Options>];
    checked[field] = check(name === "" ? field : `${name}.${field}`, each);
  }
  return checked as Partial<Options>;
}

/** Checks that an object has no other names. Returns it without names that are `undefined`. */
export function checkNames(
  name: string,
  value: unknown,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw cannotUse(name === "" ? "options" : name, "must be an object", { value });
  }
  const given: Record<string, unknown> = Object.create(null);
  for (const [field, each] of Object.entries(value)) {
    if (!names.includes(field)) throw unknownName(`${name} option`.trimStart(), field, names);
    if (each !== undefined) given[field] = each;
  }
  return given;
}
