/** What is no HTTP/1, exceeds a limit, or could be understood differently by two servers. */
export class BadMessage extends Error {
  override readonly name = "BadMessage";
  /** The status of the answer to a client. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The headers that decide how a message is read. */
export interface Fields {
  /** All of them, joined by commas. */
  connection?: string;
  upgrade?: string;
  expect?: string;
  host?: string;
  "content-length"?: string;
  "transfer-encoding"?: string;
}

const KNOWN: ReadonlySet<string> = new Set<keyof Fields>([
  "connection",
  "upgrade",
  "expect",
  "host",
  "content-length",
  "transfer-encoding",
]);
const LONGEST_KNOWN = "transfer-encoding".length;

const NAME = /^[\w!#$%&'*+\-.^`|~]+$/;
/** A control character, also one of an incomplete line end. */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;
const LENGTH = /^\d{1,15}$/;

/** The lines of a head. */
export interface HeadLines {
  /** The first line. */
  readonly line: string;
  /** Names and values in turn, as they were sent. */
  readonly rawHeaders: string[];
  readonly fields: Fields;
}

/**
 * Parses the lines of a head strictly: whatever two servers could understand differently is refused.
 *
 * @param text the head without its last empty line, one character for each byte
 * @throws {BadMessage}
 */
export function parseLines(text: string): HeadLines {
  const [line = "", ...lines] = text.split("\r\n");
  if (FORBIDDEN.test(line)) throw malformed("head");
  const rawHeaders: string[] = [];
  const fields: Fields = {};
  for (const each of lines) {
    const name = nameOf(each);
    const value = withoutBlanks(each.slice(name.length + 1));
    rawHeaders.push(name, value);
    if (name.length > LONGEST_KNOWN) continue;
    const key = name.toLowerCase();
    if (KNOWN.has(key)) keep(fields, key as keyof Fields, value, each);
  }
  return { line, rawHeaders, fields };
}

/**
 * Returns the bytes of a body, or "chunked"; undefined if the head does not say.
 *
 * @throws {BadMessage}
 */
export function lengthOf(fields: Fields): number | "chunked" | undefined {
  const { "content-length": length, "transfer-encoding": coding } = fields;
  if (coding !== undefined) {
    if (length !== undefined) throw new BadMessage(400, "ambiguous length of the body");
    if (coding.toLowerCase() !== "chunked") throw new BadMessage(501, "unsupported encoding");
    return "chunked";
  }
  if (length === undefined) return undefined;
  if (!LENGTH.test(length)) throw malformed("Content-Length");
  return Number(length);
}

/**
 * Checks a line after a chunked body.
 *
 * @throws {BadMessage} for a line that is no header, or one that decides how the message is read, which
 * must not come that late (RFC 9110 6.5.1)
 */
export function checkTrailer(line: string): void {
  if (KNOWN.has(nameOf(line).toLowerCase())) throw malformed("trailer");
}

/** Returns the parts of a list such as that of `Connection`, in lower case. */
export function tokensOf(list: string | undefined): readonly string[] {
  return list === undefined ? [] : list.toLowerCase().split(",").map(withoutBlanks);
}

/**
 * Returns the name in a line with a header.
 *
 * @throws {BadMessage} for a malformed line, such as a folded one or one with space before the colon
 */
function nameOf(line: string): string {
  const name = line.slice(0, Math.max(line.indexOf(":"), 0));
  if (!NAME.test(name) || FORBIDDEN.test(line)) throw malformed("header");
  return name;
}

/** Keeps a header that decides how the message is read. */
function keep(fields: Fields, key: keyof Fields, value: string, line: string): void {
  // Some servers do not take a tab for space.
  if (line.includes("\t")) throw malformed("header");
  const former = fields[key];
  const mayRepeat = key === "connection" || key === "upgrade";
  if (former !== undefined && !mayRepeat) throw new BadMessage(400, `${key} must occur once`);
  fields[key] = former === undefined ? value : `${former}, ${value}`;
}

/**
 * Removes spaces and tabs around a value. `trim` would also remove line feeds and others, which a proxy
 * in front may understand differently.
 */
function withoutBlanks(value: string): string {
  let from = 0;
  let to = value.length;
  while (from < to && isBlank(value.charCodeAt(from))) from++;
  while (from < to && isBlank(value.charCodeAt(to - 1))) to--;
  return value.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** Creates the error for a part of a message that cannot be read. */
export function malformed(what: string): BadMessage {
  return new BadMessage(400, `malformed ${what}`);
}
