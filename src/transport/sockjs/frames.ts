/**
 * The frames of SockJS 0.3.3 as text (docs/protocol.md §1). Downstream: `o`, `h`, `a["msg",…]`,
 * `m"msg"`, `c[code,"reason"]`. Upstream: `["msg",…]`, or one bare JSON string.
 */

/** One downstream frame, as a client reads it. `m"msg"` reads as `messages` with one element. */
export type Frame =
  | { readonly type: "open" }
  | { readonly type: "heartbeat" }
  | { readonly type: "messages"; readonly messages: readonly string[] }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

/** The first frame of a session. */
export const OPEN_FRAME = "o";
/** The frame that says only that the session is alive. */
export const HEARTBEAT_FRAME = "h";

/**
 * What browsers and proxies are known to mangle. `JSON.stringify` escapes the rest of SockJS' list
 * by itself: U+0000–001f and lone surrogates. On a Latin-1 text the engine fails it without a scan.
 */
const MANGLED = /[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]/;
const ALL_MANGLED = new RegExp(MANGLED, "g");

/** The `a` frame that carries `messages`. */
export function encodeMessages(messages: readonly string[]): string {
  return "a" + escapeMangled(JSON.stringify(messages));
}

/** A message as it stands between the quotes in an `a` frame. */
export function escapeMessage(message: string): string {
  return escapeMangled(JSON.stringify(message)).slice(1, -1);
}

/** The `a` frame that carries one message, which {@linkcode escapeMessage} has escaped. */
export function frameEscaped(escaped: string): string {
  return `a["${escaped}"]`;
}

/** The `c` frame. */
export function encodeClose(code: number, reason: string): string {
  return `c[${code},${escapeMangled(JSON.stringify(reason))}]`;
}

/**
 * The messages of an upstream text: a JSON array of strings, or a bare JSON string. An empty text
 * carries none.
 *
 * @returns `undefined` when the text is broken: no JSON, or not strings.
 */
export function decodeUpstream(text: string): string[] | undefined {
  return text === "" ? [] : strings(parse(text));
}

/**
 * A downstream frame read.
 *
 * @returns `undefined` when the text is no frame.
 */
export function decodeFrame(text: string): Frame | undefined {
  switch (text.charCodeAt(0)) {
    case 0x6f: // o
      return text.length === 1 ? { type: "open" } : undefined;
    case 0x68: // h; a streaming prelude is a run of them
      return { type: "heartbeat" };
    case 0x61: { // a
      const value = parse(text.slice(1));
      return Array.isArray(value) ? messagesFrame(strings(value)) : undefined;
    }
    case 0x6d: { // m
      const value = parse(text.slice(1));
      return typeof value === "string" ? messagesFrame([value]) : undefined;
    }
    case 0x63: // c
      return closeFrame(parse(text.slice(1)));
    default:
      return undefined;
  }
}

function escapeMangled(json: string): string {
  if (!MANGLED.test(json)) return json;
  return json.replace(ALL_MANGLED, escapeUnit);
}

function escapeUnit(unit: string): string {
  return "\\u" + unit.charCodeAt(0).toString(16).padStart(4, "0");
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // what is no JSON is no frame either: the caller reports it as broken
  }
}

function strings(value: unknown): string[] | undefined {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) return undefined;
  for (const element of value) {
    if (typeof element !== "string") return undefined;
  }
  return value;
}

function messagesFrame(messages: readonly string[] | undefined): Frame | undefined {
  return messages === undefined ? undefined : { type: "messages", messages };
}

function closeFrame(value: unknown): Frame | undefined {
  if (!Array.isArray(value)) return undefined;
  const [code, reason]: unknown[] = value;
  if (typeof code !== "number" || !Number.isInteger(code)) return undefined;
  return { type: "close", code, reason: typeof reason === "string" ? reason : "" };
}
