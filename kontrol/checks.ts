import { KiteError } from "../src/protocol/errors.ts";
import { checkIdentity, IDENTITY_FIELDS, type KiteIdentity } from "../src/protocol/identity.ts";

/** Maximum number of characters of a URL. */
const URL_LENGTH = 2_048;

const SCHEMES: readonly string[] = ["http:", "https:", "ws:", "wss:"];

/** White space, control and formatting characters, and lone surrogates. */
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/** Control characters, line separators, and characters that change the direction of text. */
const DISGUISING = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u;

/**
 * Checks and normalizes the URL of a registration.
 *
 * @throws {KiteError} `argumentError`
 */
export function checkUrl(url: string): string {
  if (url.length > URL_LENGTH) throw badUrl(`must have at most ${URL_LENGTH} characters`);
  // The URL parser would silently remove some of these characters.
  if (UNPRINTABLE.test(url)) throw badUrl("must not contain white space or control characters");
  const parsed = URL.parse(url);
  if (parsed === null || !SCHEMES.includes(parsed.protocol)) {
    throw badUrl("must begin with http://, https://, ws:// or wss://");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw badUrl("must not contain a username or password");
  }
  if (parsed.href.length > URL_LENGTH) throw badUrl(`must have at most ${URL_LENGTH} characters`);
  return parsed.href;
}

/**
 * Checks that an identity is complete and valid. The error for an empty field has Go's words.
 *
 * @throws {KiteError} `argumentError`
 */
export function checkComplete(kite: KiteIdentity): KiteIdentity {
  for (const field of IDENTITY_FIELDS) {
    if (kite[field] === "") throw new KiteError("argumentError", `Empty Kite field: ${field}`);
    checkVisible(field, kite[field]);
  }
  return checkIdentity(kite);
}

/**
 * Checks that a field of an identity looks like what it is wherever it is printed.
 *
 * @throws {KiteError} `argumentError`
 */
export function checkVisible(field: string, text: string): void {
  if (!DISGUISING.test(text)) return;
  const reason = `${field} must not contain control characters or change the direction of text`;
  throw new KiteError("argumentError", `Cannot register a kite: ${reason}`);
}

function badUrl(reason: string): KiteError {
  return new KiteError("argumentError", `Cannot register the URL: ${reason}`);
}
