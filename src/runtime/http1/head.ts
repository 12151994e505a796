import { BadMessage, lengthOf, malformed, parseLines, tokensOf } from "./fields.ts";

/** The head of an HTTP/1 request. */
export interface RequestHead {
  readonly method: string;
  /** The target as it was sent, such as "/kite/info?t=1". */
  readonly target: string;
  readonly isHttp10: boolean;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: readonly string[];
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
/** The methods that a web `Request` accepts and a server may receive. */
const METHOD = /^(?!CONNECT$|TRACE$|TRACK$)[A-Z-]+$/;

/**
 * Parses the head of a request.
 *
 * @param text the head without its last empty line, one character for each byte
 * @throws {BadMessage}
 */
export function parseHead(text: string): RequestHead {
  const { line, rawHeaders, fields } = parseLines(text);
  const match = REQUEST_LINE.exec(line);
  if (match === null) throw malformed("request line");
  const [, method = "", target = "", major, minor] = match;
  if (major !== "1") throw new BadMessage(505, "only HTTP/1.0 and HTTP/1.1 are supported");
  if (!METHOD.test(method)) throw new BadMessage(501, "unsupported method");
  const isHttp10 = minor === "0";
  const { host, expect } = fields;
  if (host === undefined && !isHttp10) throw new BadMessage(400, "Host must occur once");
  if (expect !== undefined && expect.toLowerCase() !== "100-continue") {
    throw new BadMessage(417, "unsupported expectation");
  }
  const connection = tokensOf(fields.connection);
  const body = lengthOf(fields) ?? 0;
  if (body === "chunked" && isHttp10) throw new BadMessage(400, "ambiguous length of the body");
  return {
    method,
    target,
    isHttp10,
    rawHeaders,
    host,
    keepsAlive: isHttp10 ? connection.includes("keep-alive") : !connection.includes("close"),
    body,
    expectsContinue: expect !== undefined && !isHttp10,
  };
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
