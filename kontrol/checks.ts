import { KiteError } from "../src/protocol/errors.ts";
import { checkIdentity, IDENTITY_FIELDS, type KiteIdentity } from "../src/protocol/identity.ts";

/** Characters of a URL, at most. */
const URL_LENGTH = 2_048;

const SCHEMES: readonly string[] = ["http:", "https:", "ws:", "wss:"];

/** Blanks, line ends, control and formatting characters, and half surrogates. */
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/**
 * The URL of a registration as Kontrol hands it out: parsed and normalized.
 *
 * @throws {KiteError} `argumentError`
 */
export function checkUrl(url: string): string {
  if (url.length > URL_LENGTH) throw badUrl(`must have at most ${URL_LENGTH} characters`);
  // The URL parser drops blanks and line ends silently.
  if (UNPRINTABLE.test(url)) throw badUrl("must hold no blanks and no control characters");
  const parsed = URL.parse(url);
  if (parsed === null || !SCHEMES.includes(parsed.protocol)) {
    throw badUrl("must begin with http://, https://, ws:// or wss://");
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw badUrl("must hold no username and no password");
  }
  if (parsed.href.length > URL_LENGTH) throw badUrl(`must have at most ${URL_LENGTH} characters`);
  return parsed.href;
}

/**
 * Checks a kite's identity, in Go's words where a field is empty.
 *
 * @throws {KiteError} `argumentError`
 */
export function checkComplete(kite: KiteIdentity): KiteIdentity {
  for (const field of IDENTITY_FIELDS) {
    if (kite[field] === "") throw new KiteError("argumentError", `Empty Kite field: ${field}`);
  }
  return checkIdentity(kite);
}

function badUrl(reason: string): KiteError {
  return new KiteError("argumentError", `Cannot register the URL: ${reason}`);
}
