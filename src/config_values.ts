import { parseDuration } from "./protocol/duration.ts";
import { KiteError } from "./protocol/errors.ts";
import { validateField } from "./protocol/identity.ts";
import { DEFAULT_LIMITS, type Limits } from "./protocol/limits.ts";
import { nearestName } from "./protocol/nearest.ts";
import { quote } from "./protocol/quote.ts";

/** Checks one setting; `name` is what the user calls it: an option, a variable, a flag. */
export type Check<Value> = (name: string, value: unknown) => Value;

const LONGEST_TIMER = 2_147_483_647;
const PORTS = "a whole number from 0 to 65535";
const DURATIONS = `milliseconds from 1 to ${LONGEST_TIMER}`;
const URL_PROTOCOLS: readonly string[] = Object.freeze(["http:", "https:", "ws:", "wss:"]);

/** The refusal of a setting, in one form for all: what it is called, what it holds, what is right. */
export function refuse(name: string, is: string, right: string): KiteError {
  return new KiteError("configError", `${name}: ${is}; ${right} is right`);
}

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
  if (typeof value === "string" && /^[\w.:%-]+$/.test(value)) return value;
  throw refuse(name, `${quote(value)} is not an address`, "for example 0.0.0.0, :: or localhost");
}

/** A port, 0 for any that is free. */
export function checkPort(name: string, value: unknown): number {
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535) {
    return value as number;
  }
  throw refuse(name, `${show(value)} is not a port`, PORTS);
}

/** A port, as text. */
export function readPort(name: string, text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw refuse(name, `${quote(text)} is not a port`, PORTS);
}

/** Milliseconds of a wait: at least 1, since every wait has a bound. */
export function checkWait(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 1 && value <= LONGEST_TIMER) return value;
  throw refuse(name, `${show(value)} is no bound for a wait`, DURATIONS);
}

/** A wait, as text in Go's form of a duration. */
export function readWait(name: string, text: string): number {
  const milliseconds = readDuration(name, text);
  if (milliseconds >= 1 && milliseconds <= LONGEST_TIMER) return milliseconds;
  throw refuse(name, `${quote(text)} is no bound for a wait`, "a duration from 1ms to 596h");
}

/** Milliseconds for which something is remembered, 0 for not at all. */
export function checkTtl(name: string, value: unknown): number {
  if (typeof value === "number" && value >= 0 && value < Infinity) return value;
  throw refuse(name, `${show(value)} is no time to live`, "0 or more milliseconds");
}

/** A duration in Go's form, in milliseconds. */
export function readDuration(name: string, text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof KiteError)) throw error;
    throw new KiteError("configError", `${name}: ${error.message}`, { cause: error });
  }
}

/** A URL that a kite can dial, without a slash at its end: Go's XHR client cannot use one there. */
export function checkUrl(name: string, value: unknown): string {
  const text = typeof value === "string" ? value.trim() : "";
  if (!URL.canParse(text) || !URL_PROTOCOLS.includes(new URL(text).protocol)) {
    throw refuse(name, `${quote(value)} is not a URL`, "for example http://localhost:4000/kite");
  }
  return text.replace(/\/+$/, "");
}

/** One URL or several of them. */
export function checkUrls(name: string, value: unknown): readonly string[] {
  const urls: unknown[] = Array.isArray(value) ? value : [value];
  return urls.map((url) => checkUrl(name, url));
}

/** One of a few words, whatever their case. */
export function checkWord<Word extends string>(words: readonly Word[]): Check<Word> {
  return (name, value) => {
    const lower = typeof value === "string" ? value.toLowerCase() : undefined;
    const word = words.find((each) => each.toLowerCase() === lower);
    if (word !== undefined) return word;
    throw refuse(name, `${quote(value)} is none of its values`, `one of ${words.join(", ")}`);
  };
}

/** A yes or a no. */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw refuse(name, `${quote(value)} is no yes or no`, "true or false");
}

/** Text that no error message may show. */
export function checkSecret(name: string, value: unknown): string {
  if (typeof value === "string") return value.trim();
  throw refuse(name, quote(value), "text");
}

/** Keys and certificates: PEM, trimmed. No error message shows it. */
export function checkPem(name: string, value: unknown): string {
  const text = checkSecret(name, value);
  if (text.startsWith("-----BEGIN ") || text.includes("\n-----BEGIN ")) return text;
  throw refuse(name, "it holds no PEM", 'text with "-----BEGIN …" in it');
}

/** A path of a file or directory. */
export function checkPath(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "" && !value.includes("\0")) return value;
  throw refuse(name, `${quote(value)} is not a path`, "the path of a file or directory");
}

/** Limits that were given, together with the defaults of the others. */
export function checkLimits(name: string, value: unknown): Limits {
  const given = checkObject(name, value, Object.keys(DEFAULT_LIMITS));
  for (const [field, limit] of Object.entries(given)) {
    const least = field === "firstMessage" ? 0 : 1;
    if (!Number.isSafeInteger(limit) || (limit as number) < least) {
      throw refuse(
        `${name}.${field}`,
        `${show(limit)} is not a limit`,
        `a whole number from ${least}`,
      );
    }
  }
  return Object.freeze({ ...DEFAULT_LIMITS, ...given });
}

/** An object whose every name is one of `names`; what is `undefined` in it counts as not given. */
export function checkObject(
  name: string,
  value: unknown,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse(name, quote(value), "an object");
  }
  const given: Record<string, unknown> = Object.create(null);
  for (const [field, each] of Object.entries(value)) {
    if (!names.includes(field)) throw unknownName(name, field, names);
    if (each !== undefined) given[field] = each;
  }
  return given;
}

function unknownName(owner: string, name: string, names: readonly string[]): KiteError {
  const near = nearestName(name, names);
  const right = near === undefined ? `there are ${names.join(", ")}` : `did you mean ${near}?`;
  return new KiteError("configError", `${owner}: there is no ${quote(name)}; ${right}`);
}

function show(value: unknown): string {
  return typeof value === "number" ? String(value) : quote(value);
}
