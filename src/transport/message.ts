import { isTooDeepToParse } from "../protocol/nesting.ts";
import { exceedsBytes } from "./byte_length.ts";

/**
 * One message as a session delivers it: its text, or the elements of a compact message, which the
 * transport has parsed with its frame (docs/protocol.md §8).
 */
export type Message = string | unknown[];

/** What the size of a compact message counts for each array or object, and for each plain value. */
const CONTAINER_SIZE = 16;
const VALUE_SIZE = 4;

/** True if a text to send is a compact message, which stands in frames as it is. */
export function isCompact(text: string): boolean {
  return text.charCodeAt(0) === 0x5b; // [
}

/** The text of a message. */
export function textOf(message: Message): string {
  return typeof message === "string" ? message : JSON.stringify(message);
}

/**
 * The size of a message in characters, or about the memory that a compact one takes. Iterative:
 * depth costs no stack.
 *
 * @param nesting how deep a compact message may be
 * @returns -1 if it is deeper
 */
export function sizeOf(message: Message, nesting: number): number {
  if (typeof message === "string") return message.length;
  let size = 0;
  let container: object | undefined = message;
  let depth = 1;
  let waiting: object[] | undefined;
  let depths: number[] | undefined;
  while (container !== undefined) {
    if (depth > nesting) return -1;
    size += CONTAINER_SIZE;
    let next: object | undefined;
    const values: readonly unknown[] = Array.isArray(container)
      ? container
      : Object.values(container);
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value === "string") size += VALUE_SIZE + value.length;
      else if (typeof value !== "object" || value === null) size += VALUE_SIZE;
      else if (next === undefined) next = value;
      else {
        (waiting ??= []).push(value);
        (depths ??= []).push(depth + 1);
      }
    }
    if (values !== container) {
      for (const name in container) size += name.length;
    }
    if (next !== undefined) {
      container = next;
      depth++;
    } else {
      container = waiting?.pop();
      depth = depths?.pop() ?? 0;
    }
  }
  return size;
}

/** Characters after which a text of several compact messages is full, where there are no frames. */
const FULL_TEXT = 32_768;

/** Writes messages where each text is one dnode message, or an array of compact messages. */
export function writeRaw(messages: readonly string[], write: (text: string) => void): void {
  let compact = "";
  const flush = (): void => {
    if (compact !== "") write(`[${compact}]`);
    compact = "";
  };
  for (const message of messages) {
    if (!isCompact(message)) {
      flush();
      write(message);
      continue;
    }
    if (compact.length + message.length > FULL_TEXT) flush();
    compact = compact === "" ? message : `${compact},${message}`;
  }
  flush();
}

/** Reads a text that {@linkcode writeRaw} wrote. What is no array of messages stays a text. */
export function readRaw(text: string): Message[] {
  if (!isCompact(text) || isTooDeepToParse(text)) return [text];
  try {
    const messages: unknown[] = JSON.parse(text);
    return messages.every(Array.isArray) ? messages as unknown[][] : [text];
  } catch {
    return [text]; // whoever reads the message reports it
  }
}

/** True if a message of a frame is longer than `limit` bytes. Each is read once at most. */
export function hasLongMessage(
  frame: string,
  messages: readonly Message[],
  limit: number,
): boolean {
  // In a frame, a message takes no fewer bytes than by itself.
  return exceedsBytes(frame, limit) &&
    messages.some((message) => exceedsBytes(lengthText(message), limit));
}

/** The text of a message, as far as its length matters. */
function lengthText(message: Message): string {
  try {
    return textOf(message);
  } catch {
    return ""; // nested too deep to be written: it is refused for that
  }
}
