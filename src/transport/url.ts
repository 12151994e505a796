import { KiteError } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";

const PROTOCOLS: Readonly<Record<string, "http:" | "https:">> = {
  "http:": "http:",
  "ws:": "http:",
  "https:": "https:",
  "wss:": "https:",
};
/** Blanks, line breaks, and other characters that control a terminal or a log. */
const FORBIDDEN = /[\s\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const SESSION_CHARACTERS = "abcdefghijklmnopqrstuvwxyz012345"; // 32: a byte's low bits choose evenly
const SESSION_LENGTH = 20;

/**
 * The URL of a kite as `http:` or `https:`, without its fragment. `ws:` and `wss:` are read as those:
 * the scheme says nothing about the framing (docs/protocol.md §1).
 *
 * @throws {KiteError} `configError` that names what is wrong.
 */
export function parseKiteUrl(url: string | URL): URL {
  // The URL parser would drop line breaks and tabs, and trim blanks.
  if (typeof url === "string" && FORBIDDEN.test(url)) {
    throw cannotUse("url", "must not hold blanks or control characters");
  }
  if (typeof url === "string" && !URL.canParse(url)) throw bad(withoutSecrets(url));
  const parsed = new URL(url);
  const protocol = PROTOCOLS[parsed.protocol];
  if (protocol === undefined) throw bad(displayUrl(parsed));
  if (parsed.username !== "" || parsed.password !== "") {
    const rule = "must not hold a user name or password, which SockJS cannot carry";
    throw cannotUse("url", rule, { value: displayUrl(parsed) });
  }
  parsed.hash = "";
  parsed.protocol = protocol;
  return parsed;
}

/** Characters of a URL that a remote gives us, at most. */
const MAX_URL_LENGTH = 2_048;

/** True for a URL that a remote may give us to dial, see {@linkcode parseKiteUrl}. */
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

/** The error for a URL where a server answers, but not a kite. */
export function noKiteAt(url: URL, cause?: unknown): KiteError {
  const hint = url.pathname.replace(/\/+$/, "").endsWith("/kite")
    ? ""
    : `; the path of a kite's URL is usually /kite, as in ${url.origin}/kite`;
  return new KiteError(
    "sendError",
    `No kite at ${displayUrl(url)}: the server answered with HTTP status 404${hint}`,
    { cause },
  );
}

/** The path of a SockJS session: three digits and 20 characters (docs/protocol.md §1). */
export function newSessionPath(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(SESSION_LENGTH));
  let session = "";
  for (const byte of bytes) session += SESSION_CHARACTERS[byte & 31];
  const [number = 0] = crypto.getRandomValues(new Uint16Array(1));
  return `${String(number % 1000).padStart(3, "0")}/${session}`;
}

/**
 * The URL of one transport of a session: `/server/session/transport` goes before the query.
 *
 * @param base what {@linkcode parseKiteUrl} gave.
 */
export function transportUrl(base: URL, sessionPath: string, transport: string): URL {
  const url = new URL(base);
  url.pathname = `${base.pathname.replace(/\/+$/, "")}/${sessionPath}/${transport}`;
  return url;
}

/** What an error may show of a URL: not its query, which may hold a secret. */
export function displayUrl(url: URL): string {
  return (url.host === "" ? url.protocol : `${url.protocol}//${url.host}`) + url.pathname;
}

function withoutSecrets(text: string): string {
  return text.replace(/[?#].*$/s, "").replace(/\/\/.*@/s, "//").slice(0, 100);
}

function bad(value: string): KiteError {
  return cannotUse("url", "must be a URL such as http://host:port/kite", { value });
}
