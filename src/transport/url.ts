import { KiteError } from "../protocol/errors.ts";
import { randomHex } from "../protocol/random.ts";
import { cannotUse } from "../protocol/refusal.ts";

const PROTOCOLS: Readonly<Record<string, "http:" | "https:">> = {
  "http:": "http:",
  "ws:": "http:",
  "https:": "https:",
  "wss:": "https:",
};
/** White space, and characters that could control a terminal or a log. */
const FORBIDDEN = /[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/**
 * Parses the URL of a kite. Removes the fragment, and converts `ws:` and `wss:` to `http:` and
 * `https:`, since the scheme does not determine the framing (docs/protocol.md §1).
 *
 * @param name what the user calls the URL
 * @throws {KiteError} `configError` with the reason.
 */
export function parseKiteUrl(url: string | URL, name = "url"): URL {
  // The URL parser would remove white space.
  if (typeof url === "string" && FORBIDDEN.test(url)) {
    throw cannotUse(name, "must not contain white space or control characters");
  }
  if (typeof url === "string" && !URL.canParse(url)) throw bad(name, withoutSecrets(url));
  const parsed = new URL(url);
  const protocol = PROTOCOLS[parsed.protocol];
  if (protocol === undefined) throw bad(name, displayUrl(parsed));
  if (parsed.username !== "" || parsed.password !== "") {
    const rule = "must not contain a user name or password, which SockJS does not support";
    throw cannotUse(name, rule, { value: displayUrl(parsed) });
  }
  parsed.hash = "";
  parsed.protocol = protocol;
  return parsed;
}

/** Maximum length of a URL from a remote, characters. */
const MAX_URL_LENGTH = 2_048;

/** True for a valid kite URL, also from a remote; see {@linkcode parseKiteUrl}. */
export function isKiteUrl(text: unknown): text is string {
  if (typeof text !== "string" || text.length > MAX_URL_LENGTH) return false;
  try {
    parseKiteUrl(text);
    return true;
  } catch (error) {
    if (error instanceof KiteError) return false;
    throw error;
  }
}

/** Creates the error for a URL of a server that is not a kite. */
export function noKiteAt(url: URL, cause?: unknown): KiteError {
  const hint = url.pathname.replace(/\/+$/, "").endsWith("/kite")
    ? ""
    : `; the path of a kite's URL is usually /kite, as in ${url.origin}/kite`;
  return new KiteError(
    "sendError",
    `Cannot find a kite at ${displayUrl(url)}: the server answered with HTTP status 404${hint}`,
    { cause },
  );
}

/** Creates the path of a SockJS session: three digits and 20 characters (docs/protocol.md §1). */
export function newSessionPath(): string {
  return `${String(Math.floor(Math.random() * 1000)).padStart(3, "0")}/${randomHex(10)}`;
}

/**
 * Returns the URL of a transport of a session: inserts `/server/session/transport` before the query.
 *
 * @param base a URL from {@linkcode parseKiteUrl}
 */
export function transportUrl(base: URL, sessionPath: string, transport: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, "")}/${sessionPath}/${transport}`;
  return url;
}

/** Formats a URL for errors, without its query, which may contain a secret. */
export function displayUrl(url: URL): string {
  return (url.host === "" ? url.protocol : `${url.protocol}//${url.host}`) + url.pathname;
}

function withoutSecrets(text: string): string {
  return text.replace(/[?#].*$/s, "").replace(/\/\/.*@/s, "//").slice(0, 100);
}

function bad(name: string, value: string): KiteError {
  return cannotUse(name, "must be a URL such as http://host:port/kite", { value });
}

/** Returns the path of a serialized URL with a host, such as that of a `Request`. */
export function pathnameOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}
