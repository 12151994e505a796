/**
 * The text frames of SockJS 0.3.3 (docs/protocol.md §1). To the client: `o`, `h`, `a["msg",…]`,
 * `m"msg"`, `c[code,"reason"]`. To the server: `["msg",…]`, or one JSON string.
 */

import { isTooDeepToParse } from "../../protocol/nesting.ts";
import { isCompact, type Message } from "../message.ts";

/** A decoded frame for the client. `m"msg"` is decoded as `messages` with one element. */
export type Frame =
  | { readonly type: "open" }
  | { readonly type: "heartbeat" }
  | { readonly type: "messages"; readonly messages: readonly Message[] }
  | { readonly type: "close"; readonly code: number; readonly reason: string };

/** The first frame of a session. */
export const OPEN_FRAME = "o";
/** The frame that only shows that the session is alive. */
export const HEARTBEAT_FRAME = "h";

/**
 * Characters that browsers and proxies may change. `JSON.stringify` already escapes the others on the
 * list of SockJS: U+0000–001f and lone surrogates. The engine does not scan Latin-1 texts for these.
 */
const MANGLED = /[\u200c-\u200f\u2028-\u202f\u2060-\u206f\ufff0-\uffff]/;
const ALL_MANGLED = /* @__PURE__ */ new RegExp(MANGLED, "g");

/** Encodes `messages` as an `a` frame. */
export function encodeMessages(messages: readonly string[]): string {
  return "a" + escapeMangled(encodeArray(messages));
}

/** Encodes `messages` as a JSON array. Compact messages stand in it as they are, others as strings. */
export function encodeArray(messages: readonly string[]): string {
  let compact = 0;
  for (let i = 0; i < messages.length; i++) if (isCompact(messages[i]!)) compact++;
  if (compact === 0) return JSON.stringify(messages);
  if (compact === messages.length) return `[${messages.join(",")}]`;
  return `[${messages.map((text) => isCompact(text) ? text : JSON.stringify(text)).join(",")}]`;
}

/** Encodes a message as it appears between the quotes of an `a` frame. */
export function escapeMessage(message: string): string {
  return escapeMangled(JSON.stringify(message)).slice(1, -1);
}

/** What stands before a message of {@linkcode escapeMessage} that is the only one of an `a` frame. */
export const ESCAPED_HEAD = 'a["';

/** What stands after it. */
export const ESCAPED_TAIL = '"]';

/** Encodes a `c` frame. */
export function encodeClose(code: number, reason: string): string {
  return `c[${code},${escapeMangled(JSON.stringify(reason))}]`;
}

/**
 * Decodes a text from a client: a JSON array of strings and compact messages, or a JSON string. An
 * empty text has no messages.
 *
 * @returns the messages; `undefined` if the text is malformed
 */
export function decodeUpstream(text: string): Message[] | undefined {
  return text === "" ? [] : messagesOf(parse(text));
}

/**
 * Decodes a frame from a server.
 *
 * @returns `undefined` if the text is not a frame
 */
export function decodeFrame(text: string): Frame | undefined {
  switch (text.charCodeAt(0)) {
    case 0x6f: // o
      return text.length === 1 ? { type: "open" } : undefined;
    case 0x68: // h; the prelude of a stream consists of many
      return { type: "heartbeat" };
    case 0x61: { // a
      const value = parse(text.slice(1));
      return Array.isArray(value) ? messagesFrame(messagesOf(value)) : undefined;
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
  if (isTooDeepToParse(json)) return undefined;
  try {
    return JSON.parse(json);
  } catch {
    return undefined; // the caller reports a malformed frame
  }
}

function messagesOf(value: unknown): Message[] | undefined {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) return undefined;
  for (const element of value) {
    if (typeof element !== "string" && !Array.isArray(element)) return undefined;
  }
  return value;
}

function messagesFrame(messages: readonly Message[] | undefined): Frame | undefined {
  return messages === undefined ? undefined : { type: "messages", messages };
}

function closeFrame(value: unknown): Frame | undefined {
  if (!Array.isArray(value)) return undefined;
  const [code, reason]: unknown[] = value;
  if (typeof code !== "number" || !Number.isInteger(code)) return undefined;
  return { type: "close", code, reason: typeof reason === "string" ? reason : "" };
}
