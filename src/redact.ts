const REDACTED = "[redacted]";
const DEEPEST = 4;
const MOST_ELEMENTS = 32;
const LONGEST_TEXT = 4_096;

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

/** A JWT: a token or a kite.key. */
const TOKEN = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g;

/** A text as it may be logged: no token or private key in it, and cut when it is long. */
export function redactText(text: string): string {
  const short = text.length <= LONGEST_TEXT
    ? text
    : `${text.slice(0, LONGEST_TEXT)}… (${text.length} characters)`;
  return short.replace(TOKEN, REDACTED).replace(PRIVATE_KEY, REDACTED);
}

/**
 * A value as it may be logged: a copy without secrets, which are what stands in fields such as
 * `token`, `key`, `kiteKey`, `authentication` or `private`, and whatever looks like a token or a
 * private key in any text. Deep, long and endless values are cut.
 */
export function redact(value: unknown): unknown {
  return copy(value, 0);
}

function copy(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "function") return "[Function]";
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Error) return redactText(describeError(value));
  if (depth === DEEPEST) return "[…]";
  if (Array.isArray(value)) return copyArray(value, depth + 1);
  const entries = Object.entries(value).slice(0, MOST_ELEMENTS);
  return Object.fromEntries(entries.map(([field, each]) => [
    field,
    SECRET_FIELDS.has(field.toLowerCase()) ? REDACTED : copy(each, depth + 1),
  ]));
}

function copyArray(values: readonly unknown[], depth: number): unknown[] {
  const safe = values.slice(0, MOST_ELEMENTS).map((value) => copy(value, depth));
  if (values.length > MOST_ELEMENTS) safe.push(`… (${values.length} elements)`);
  return safe;
}

/** What an error says, without its stack. */
function describeError(error: Error): string {
  return error.toString === Error.prototype.toString
    ? `${error.name}: ${error.message}`
    : `${error}`;
}
