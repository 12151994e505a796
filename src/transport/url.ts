import { KiteError } from "../protocol/errors.ts";

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
 * The URL of a kite as `http:` or `https:`, without fragment. `ws:` and `wss:` are read as those: the
 * scheme says nothing of the framing (docs/protocol.md §1).
 *
 * @throws {KiteError} `configError` that names what is wrong.
 */
export function parseKiteUrl(url: string | URL): URL {
  // The URL parser would drop line breaks and tabs, and cut blanks off.
  if (typeof url === "string" && FORBIDDEN.test(url)) {
    throw new KiteError(
      "configError",
      "Cannot use url: must not hold blanks or control characters; " +
        "it should be like http://host:port/kite",
    );
  }
  if (typeof url === "string" && !URL.canParse(url)) {
    throw bad(`"${withoutSecrets(url)}" is no URL`);
  }
  const parsed = new URL(url);
  const protocol = PROTOCOLS[parsed.protocol];
  if (protocol === undefined) throw bad(`the scheme "${parsed.protocol}" is unknown`);
  if (parsed.username !== "" || parsed.password !== "") {
    throw bad("it holds a user name or password, which SockJS cannot carry");
  }
  parsed.hash = "";
  parsed.protocol = protocol;
  return parsed;
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
  return url.origin + url.pathname;
}

function withoutSecrets(text: string): string {
  return text.replace(/[?#].*$/s, "").replace(/\/\/.*@/s, "//").slice(0, 100);
}

function bad(what: string): KiteError {
  return new KiteError(
    "configError",
    `Cannot dial this URL: ${what}; it should be like http://host:port/kite`,
  );
}
