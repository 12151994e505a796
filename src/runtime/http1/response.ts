import type { ByteStream } from "../byte_stream.ts";
import { joinBytes } from "../bytes.ts";
import { Timer } from "../timer.ts";

/** A stream that tells when it has written everything. */
export interface ResponseStream extends ByteStream {
  /** Resolves when everything is written, or the stream has ended. */
  drained(): Promise<void>;
}

/** The request that a response belongs to. */
export interface ResponseTo {
  readonly method: string;
  readonly isHttp10: boolean;
  /** True if further requests may follow on the connection. */
  readonly keepsAlive: boolean;
  /** Sets a listener that is called if the peer leaves. */
  onGone(listener: () => void): void;
}

/** Unsent bytes at which the body of a response, or the next request, waits. */
export const HIGH_WATER = 262_144;

/** Microtasks within which a body that is complete, such as a text, can be read. */
const SETTLES_WITHIN = 8;

/** The header with which a response asks proxies, and this server, not to wait for its end. */
const BUFFERING = "x-accel-buffering";

/** Headers about the connection, which only the server sets. */
const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "transfer-encoding",
  "upgrade",
]);

const REASONS: Readonly<Record<number, string>> = Object.freeze({
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  206: "Partial Content",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  417: "Expectation Failed",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
});

const encoder = new TextEncoder();

type Part = ReadableStreamReadResult<Uint8Array>;

/**
 * Writes a response. A peer that reads slowly makes the body wait; if it leaves, or reads nothing for
 * too long, the body is cancelled.
 *
 * @param stallTimeout milliseconds after which a peer that reads nothing is disconnected
 * @returns false if the connection cannot be used for further requests
 * @throws what the body throws; the answer is incomplete then
 */
export async function writeResponse(
  response: Response,
  out: ResponseStream,
  request: ResponseTo,
  stallTimeout: number,
): Promise<boolean> {
  const { status } = response;
  const reader = response.body?.getReader();
  if (request.method === "HEAD" || status === 204 || status === 304) {
    const length = request.method === "HEAD" ? response.headers.get("content-length") : null;
    out.write(headOf(response, request, length === null ? [] : lengthLine(length)));
    await cancel(reader);
    return request.keepsAlive;
  }
  if (reader === undefined) {
    out.write(headOf(response, request, lengthLine(0)));
    return request.keepsAlive;
  }
  const first = reader.read();
  const rest = { reader, out, request, stallTimeout };
  if (mustStream(response)) return await stream(response, rest, first);
  const known = await settled(first) ?? await firstOf(first, reader, request);
  const second = known.done ? first : reader.read();
  if ((await settled(second))?.done === true) {
    const body = known.done ? EMPTY : bytesOf(known.value);
    out.write(joinBytes([headOf(response, request, lengthLine(body.length)), body]));
    return request.keepsAlive;
  }
  return await stream(response, rest, second, bytesOf(known.value));
}

/**
 * Waits for the first part of a body. The head is sent together with it, which takes one write and one
 * read less on each side.
 */
function firstOf(
  first: Promise<Part>,
  reader: ReadableStreamDefaultReader<Uint8Array>,
  request: ResponseTo,
): Promise<Part> {
  request.onGone(() => void cancel(reader));
  return first;
}

/** @throws {TypeError} for a part of a body that is not bytes */
function bytesOf(part: unknown): Uint8Array {
  if (part instanceof Uint8Array) return part;
  throw new TypeError("Cannot send the response: its body has parts that are not bytes");
}

/** True if each part of the body must be sent as soon as it is there. */
function mustStream(response: Response): boolean {
  return response.headers.get(BUFFERING) === "no";
}

/** What it takes to write a body of unknown length. */
interface Streaming {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly out: ResponseStream;
  readonly request: ResponseTo;
  readonly stallTimeout: number;
}

/** Writes a body of unknown length. */
async function stream(
  response: Response,
  { reader, out, request, stallTimeout }: Streaming,
  pending: Promise<Part>,
  first: Uint8Array = EMPTY,
): Promise<boolean> {
  const isChunked = !request.isHttp10;
  const keepsAlive = request.keepsAlive && isChunked;
  const framed = (part: Uint8Array) => isChunked ? chunk(part) : new Uint8Array(part);
  const lines = isChunked ? ["transfer-encoding: chunked\r\n"] : [];
  const head = headOf(response, { keepsAlive, isHttp10: !isChunked }, lines);
  out.write(joinBytes([head, framed(first)]));
  let isGone = false;
  request.onGone(() => {
    isGone = true;
    void cancel(reader);
  });
  for (let next = await pending; !next.done && !isGone; next = await reader.read()) {
    const part = bytesOf(next.value);
    if (part.length > 0) out.write(framed(part));
    if (out.bufferedAmount > HIGH_WATER) isGone ||= !await drained(out, stallTimeout);
  }
  if (isGone) {
    out.destroy();
    await cancel(reader);
    return false;
  }
  if (isChunked) out.write(encoder.encode("0\r\n\r\n"));
  return keepsAlive;
}

/**
 * Waits until everything is written.
 *
 * @returns false if the peer has read nothing for `timeout` milliseconds
 */
export async function drained(out: ResponseStream, timeout: number): Promise<boolean> {
  const written = out.drained().then(() => true);
  for (;;) {
    const before = out.bufferedAmount;
    const late = Promise.withResolvers<boolean>();
    const timer = new Timer(() => late.resolve(false), timeout);
    const isWritten = await Promise.race([written, late.promise]);
    timer.clear();
    if (isWritten || out.bufferedAmount >= before) return isWritten;
  }
}

/** Returns the result of a read that resolves within a few microtasks. */
async function settled(read: Promise<Part>): Promise<Part | undefined> {
  let result: Part | undefined;
  read.then((part) => result = part, () => {});
  for (let i = 0; i < SETTLES_WITHIN && result === undefined; i++) await null;
  return result;
}

function lengthLine(length: number | string): string[] {
  return [`content-length: ${length}\r\n`];
}

function headOf(
  response: Response,
  { keepsAlive, isHttp10 }: Pick<ResponseTo, "keepsAlive" | "isHttp10">,
  lines: string[],
): Uint8Array<ArrayBuffer> {
  const { status, statusText, headers } = response;
  let text = `HTTP/1.1 ${status} ${statusText || (REASONS[status] ?? "")}\r\n`;
  for (const [name, value] of headers) {
    if (!CONNECTION_HEADERS.has(name)) text += `${name}: ${value}\r\n`;
  }
  if (!headers.has("date")) text += `date: ${new Date().toUTCString()}\r\n`;
  for (const line of lines) text += line;
  if (!keepsAlive) text += "connection: close\r\n";
  else if (isHttp10) text += "connection: keep-alive\r\n";
  return latin1Bytes(text + "\r\n");
}

function chunk(part: Uint8Array): Uint8Array<ArrayBuffer> {
  if (part.length === 0) return EMPTY;
  const size = encoder.encode(`${part.length.toString(16)}\r\n`);
  const bytes = new Uint8Array(size.length + part.length + 2);
  bytes.set(size);
  bytes.set(part, size.length);
  bytes[bytes.length - 2] = 0x0d;
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

const EMPTY = new Uint8Array(0);

function latin1Bytes(text: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(text);
  if (bytes.length === text.length) return bytes;
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

async function cancel(reader: ReadableStreamDefaultReader | undefined): Promise<void> {
  try {
    await reader?.cancel();
  } catch {
    // The body failed; nobody reads it any more.
  }
}
