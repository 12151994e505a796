/** Why a request is refused before it reaches a handler. */
export class BadRequest extends Error {
  override readonly name = "BadRequest";
  /** The status of the answer. */
  readonly status: 400 | 417 | 431 | 501 | 505;

  constructor(status: 400 | 417 | 431 | 501 | 505, message: string) {
    super(message);
    this.status = status;
  }
}

/** The head of an HTTP/1 request. */
export interface RequestHead {
  readonly method: string;
  /** The target as it was sent, such as "/kite/info?t=1". */
  readonly target: string;
  readonly isHttp10: boolean;
  /** Names and values in the order in which they were sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly host: string | undefined;
  /** True if the client wants to send further requests on the connection. */
  readonly keepsAlive: boolean;
  /** The length of the body in bytes, or "chunked". */
  readonly body: number | "chunked";
  /** True if the client waits for status 100 before it sends the body. */
  readonly expectsContinue: boolean;
}

/** Maximum bytes of a head. */
export const MAX_HEAD_BYTES = 32_768;

const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) HTTP\/(\d)\.(\d)$/;
const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** The methods that a web `Request` accepts and a server may receive. */
const METHOD = /^(?!CONNECT$|TRACE$|TRACK$)[A-Z-]+$/;
/** The headers that decide how the request is read. */
const KNOWN: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "transfer-encoding",
]);
const LONGEST_KNOWN = "transfer-encoding".length;
const LENGTH = /^\d{1,15}$/;

/**
 * Parses a head strictly: whatever two servers could understand differently is refused.
 *
 * @param text the head without its last empty line, one character for each byte
 * @throws {BadRequest}
 */
export function parseHead(text: string): RequestHead {
  const [first = "", ...lines] = text.split("\r\n");
  const match = REQUEST_LINE.exec(first);
  if (match === null) throw new BadRequest(400, "malformed request line");
  const [, method = "", target = "", major, minor] = match;
  if (major !== "1") throw new BadRequest(505, "only HTTP/1.0 and HTTP/1.1 are supported");
  if (!METHOD.test(method)) throw new BadRequest(501, "unsupported method");
  const isHttp10 = minor === "0";
  const headers: [name: string, value: string][] = [];
  const known = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = withoutBlanks(line.slice(colon + 1));
    if (colon < 1 || !FIELD_NAME.test(name) || !FIELD_VALUE.test(value)) {
      throw new BadRequest(400, "malformed header");
    }
    headers.push([name, value]);
    if (name.length <= LONGEST_KNOWN) remember(known, name.toLowerCase(), value);
  }
  const host = known.get("host");
  if (host === undefined && !isHttp10) throw new BadRequest(400, "Host must occur once");
  const expectation = known.get("expect")?.toLowerCase();
  if (expectation !== undefined && expectation !== "100-continue") {
    throw new BadRequest(417, "unsupported expectation");
  }
  const connection = tokens(known.get("connection"));
  return {
    method,
    target,
    isHttp10,
    headers,
    host,
    keepsAlive: isHttp10 ? connection.includes("keep-alive") : !connection.includes("close"),
    body: bodyOf(known, isHttp10),
    expectsContinue: expectation !== undefined && !isHttp10,
  };
}

/**
 * Removes spaces and tabs around a value. `trim` would also remove line feeds and others, which a proxy
 * in front may understand differently.
 */
export function withoutBlanks(value: string): string {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from++;
  while (from < to && isBlank(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/**
 * Checks a line after a chunked body.
 *
 * @throws {BadRequest} for a line that is no header, or one that decides how the request is read
 */
export function checkTrailer(line: string): void {
  const colon = line.indexOf(":");
  const name = line.slice(0, colon);
  const isField = colon >= 1 && FIELD_NAME.test(name) && FIELD_VALUE.test(line.slice(colon + 1));
  if (!isField || KNOWN.has(name.toLowerCase())) throw new BadRequest(400, "malformed trailer");
}

/** Keeps a header that decides how the request is read. Only `Connection` may occur several times. */
function remember(known: Map<string, string>, name: string, value: string): void {
  if (!KNOWN.has(name)) return;
  const before = known.get(name);
  if (before !== undefined && name !== "connection") {
    throw new BadRequest(400, `${name} must occur once`);
  }
  known.set(name, before === undefined ? value : `${before}, ${value}`);
}

function bodyOf(known: ReadonlyMap<string, string>, isHttp10: boolean): number | "chunked" {
  const encoding = known.get("transfer-encoding");
  const length = known.get("content-length");
  if (encoding === undefined) {
    if (length === undefined) return 0;
    if (!LENGTH.test(length)) throw new BadRequest(400, "malformed Content-Length");
    return Number(length);
  }
  if (length !== undefined || isHttp10) throw new BadRequest(400, "ambiguous length of the body");
  if (encoding.toLowerCase() !== "chunked") throw new BadRequest(501, "unsupported encoding");
  return "chunked";
}

function tokens(list: string | undefined): readonly string[] {
  return list === undefined ? [] : list.toLowerCase().split(",").map(withoutBlanks);
}

/**
 * Returns the index after the empty line that ends a head, or -1 if it is not in `bytes`.
 *
 * @param from where to begin to search
 */
export function endOfHead(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x0d, from); at >= 0; at = bytes.indexOf(0x0d, at + 1)) {
    if (bytes[at + 1] === 0x0a && bytes[at + 2] === 0x0d && bytes[at + 3] === 0x0a) return at + 4;
  }
  return -1;
}

/** Decodes bytes, one character each. */
export function latin1(bytes: Uint8Array): string {
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}
