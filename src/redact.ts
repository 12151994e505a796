import { describeThrown } from "./protocol/errors.ts";

const REDACTED = "[redacted]";
const DEEPEST = 4;
const MOST_ELEMENTS = 32;
const LONGEST_TEXT = 4_096;
const MOST_VALUES = 1_024;

/** The names of fields that contain secrets. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  "auth",
  "authentication",
  "authorization",
  "cookie",
  "key",
  "kitekey",
  "pass",
  "password",
  "private",
  "privatekey",
  "secret",
  "set-cookie",
  "token",
]);

/** Matches each text that may contain a JWT as a whole, so that the search never backtracks. */
const DOTTED = /[\w.-]+/g;
/** The first characters of each token and kite.key: `{"` in base64url. */
const TOKEN_START = "eyJ";
const PRIVATE_KEY =
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g;

/**
 * Prepares a text for the log: replaces tokens and private keys, and shortens long texts. Takes linear
 * time for any text.
 */
export function redactText(text: string): string {
  const short = text.length <= LONGEST_TEXT
    ? text
    : `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)`;
  const withoutTokens = short.includes(TOKEN_START) ? short.replace(DOTTED, redactToken) : short;
  return withoutTokens.replace(PRIVATE_KEY, REDACTED);
}

/** Replaces a text of three parts, separated by dots, if one begins like a JWT. */
function redactToken(text: string): string {
  const start = text.indexOf(TOKEN_START);
  if (start < 0) return text;
  const firstDot = text.indexOf(".", start);
  return firstDot > 0 && text.includes(".", firstDot + 1) ? text.slice(0, start) + REDACTED : text;
}

/**
 * Prepares a value for the log: returns a copy without secrets. Secrets are the values of fields such as
 * `token`, `key`, `kiteKey`, `authentication` or `private`, and tokens and private keys in any text.
 * Deep, long and cyclic values are shortened.
 */
export function redact(value: unknown): unknown {
  return copy(value, 0, { left: MOST_VALUES });
}

/** The number of values that may still be copied. */
interface Budget {
  left: number;
}

function copy(value: unknown, depth: number, budget: Budget): unknown {
  if (--budget.left < 0) return "[…]";
  if (typeof value === "string") return redactText(value);
  if (typeof value === "function") return "[Function]";
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return redactText(describeThrown(value));
  if (depth === DEEPEST) return "[…]";
  if (Array.isArray(value)) return copyArray(value, depth + 1, budget);
  const entries = Object.entries(value).slice(0, MOST_ELEMENTS);
  return Object.fromEntries(entries.map(([field, each]) => [
    field,
    SECRET_FIELDS.has(field.toLowerCase()) ? REDACTED : copy(each, depth + 1, budget),
  ]));
}

function copyArray(values: readonly unknown[], depth: number, budget: Budget): unknown[] {
  const safe = values.slice(0, MOST_ELEMENTS).map((value) => copy(value, depth, budget));
  if (values.length > MOST_ELEMENTS) safe.push(`… (${values.length} elements)`);
  return safe;
}
