import { describeThrown } from "./protocol/errors.ts";

const REDACTED = "[redacted]";
const DEEPEST = 4;
const MOST_ELEMENTS = 32;
const LONGEST_TEXT = 4_096;
const MOST_VALUES = 1_024;

/** The fields that hold secrets, wherever they stand. */
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

/** Texts that may hold a JWT, each matched as a whole: looking for one within takes no second try. */
const DOTTED = /[\w.-]+/g;
/** A JWT, a token or a kite.key, begins with this: `{"` in base64url. */
const TOKEN_START = "eyJ";
const PRIVATE_KEY =
  /-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]*(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?/g;

/**
 * A text as it may be logged: no token or private key in it, and cut when it is long. Takes time in
 * proportion to the text, whatever it is.
 */
export function redactText(text: string): string {
  const short = text.length <= LONGEST_TEXT
    ? text
    : `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)`;
  const withoutTokens = short.includes(TOKEN_START) ? short.replace(DOTTED, redactToken) : short;
  return withoutTokens.replace(PRIVATE_KEY, REDACTED);
}

/** Hides a text of three parts, with dots between them, of which one begins like a JWT. */
function redactToken(text: string): string {
  const start = text.indexOf(TOKEN_START);
  if (start < 0) return text;
  const firstDot = text.indexOf(".", start);
  return firstDot > 0 && text.includes(".", firstDot + 1) ? text.slice(0, start) + REDACTED : text;
}

/**
 * A value as it may be logged: a copy without secrets, which are what stands in fields such as
 * `token`, `key`, `kiteKey`, `authentication` or `private`, and whatever looks like a token or a
 * private key in any text. Deep, long and endless values are cut.
 */
export function redact(value: unknown): unknown {
  return copy(value, 0, { left: MOST_VALUES });
}

/** How many values are still copied. */
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
