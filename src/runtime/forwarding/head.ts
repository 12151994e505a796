import { Buffer } from "node:buffer";
import {
  BadMessage,
  type Fields,
  lengthOf,
  malformed,
  parseLines,
  tokensOf,
} from "../http1/fields.ts";
import { Recent } from "./recent.ts";

const REQUEST_LINE =
  /^(GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH) ([\x21-\x7e]+) HTTP\/1\.([01])$/;
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: (.*))?$/;

const ENCODER = new TextEncoder();

/** How the end of a body is recognized. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

const NONE: Framing = Object.freeze({ kind: "none" });
const CHUNKED: Framing = Object.freeze({ kind: "chunked" });
const UNTIL_CLOSE: Framing = Object.freeze({ kind: "close" });

/** The part of a head that requests and answers have in common. */
interface MessageHead {
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  readonly framing: Framing;
  /** True if the connection can be used for another message. */
  readonly keepsAlive: boolean;
}

/** The head of a request. */
export interface Request extends MessageHead {
  readonly method: string;
  readonly target: string;
  /** True for HTTP/1.0, whose clients know no chunks. */
  readonly isOld: boolean;
  /** The protocol to upgrade to, in lower case. */
  readonly upgrade: string | undefined;
  /** The value of `Expect`, in lower case. */
  readonly expect: string | undefined;
}

/** The head of an answer. */
export interface Answer extends MessageHead {
  readonly status: number;
  readonly reason: string;
}

/**
 * Parses the head of a request.
 *
 * @throws {BadMessage}
 */
export function parseRequest(text: string): Request {
  const { line, rawHeaders, fields } = parseLines(text);
  const match = REQUEST_LINE.exec(line);
  if (match === null) throw malformed("request line");
  const [, method = "", target = "", minor] = match;
  const isOld = minor === "0";
  const connection = tokensOf(fields.connection);
  const upgrade = connection.includes("upgrade") ? fields.upgrade?.toLowerCase() : undefined;
  const framing = framingOf(fields, NONE);
  const isAmbiguous = framing === CHUNKED && isOld;
  if (isAmbiguous || (upgrade !== undefined && framing.kind !== "none")) throw malformed("request");
  return {
    method,
    target,
    rawHeaders,
    framing,
    isOld,
    upgrade,
    expect: fields.expect?.toLowerCase(),
    keepsAlive: !isOld && !connection.includes("close"),
  };
}

/** Parses the requests of one connection, whose headers mostly are those of one of the last ones. */
export class RequestParser {
  readonly #requests = new Recent<string, Request>();

  /** Does what {@linkcode parseRequest} does; the same headers give the same `rawHeaders`. */
  parse(text: string): Request {
    const end = text.indexOf("\r\n");
    if (end < 0) return parseRequest(text);
    const block = text.slice(end);
    const former = this.#requests.get(block);
    if (former === undefined) {
      const request = parseRequest(text);
      this.#requests.set(block, request, text.length); // the block is a view of the text
      return request;
    }
    const match = REQUEST_LINE.exec(text.slice(0, end));
    // The version decides about the rest.
    if (match === null || (match[3] === "0") !== former.isOld) return parseRequest(text);
    return { ...former, method: match[1]!, target: match[2]! };
  }
}

/**
 * Parses the head of an answer.
 *
 * @param method that of the request
 * @throws {BadMessage}
 */
export function parseAnswer(text: string, method: string): Answer {
  const { line, rawHeaders, fields } = parseLines(text);
  const match = STATUS_LINE.exec(line);
  if (match === null) throw new BadMessage(502, "malformed status line");
  const status = Number(match[2]);
  const framing = framingOf(fields, UNTIL_CLOSE);
  const hasNoBody = method === "HEAD" || status < 200 || status === 204 || status === 304;
  return {
    status,
    reason: match[3] ?? "",
    rawHeaders,
    framing: hasNoBody ? NONE : framing,
    keepsAlive: match[1] === "1" && !tokensOf(fields.connection).includes("close"),
  };
}

/** Encodes a head. The names and values must come from a parsed head. */
export function encodeHead(line: string, headers: readonly string[]): Uint8Array {
  return encodeText(line + formatHeaders(headers));
}

/** Encodes the heads of one connection, whose headers mostly are those of one of the last ones. */
export class HeadEncoder {
  readonly #blocks = new Recent<readonly string[], string>();

  /** Does what {@linkcode encodeHead} does. Do not change the headers afterwards. */
  encode(line: string, headers: readonly string[]): Uint8Array {
    let block = this.#blocks.get(headers);
    if (block === undefined) {
      block = formatHeaders(headers);
      this.#blocks.set(headers, block, block.length);
    }
    return encodeText(line + block);
  }
}

function formatHeaders(headers: readonly string[]): string {
  let text = "\r\n";
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]}: ${headers[i + 1]}\r\n`;
  return `${text}\r\n`;
}

function encodeText(text: string): Uint8Array {
  const bytes = ENCODER.encode(text);
  // Only other characters than those of ASCII have several bytes. `Buffer` takes twice as long.
  return bytes.length === text.length ? bytes : Buffer.from(text, "latin1");
}

function framingOf(fields: Fields, otherwise: Framing): Framing {
  const length = lengthOf(fields);
  if (length === undefined) return otherwise;
  if (length === "chunked") return CHUNKED;
  return length === 0 ? NONE : { kind: "length", length };
}
