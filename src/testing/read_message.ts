import { isCompact, type Message } from "../transport/message.ts";

/** Converts the text of one message to what a session delivers. A broken compact message stays text. */
export function readMessage(text: string): Message {
  if (!isCompact(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text; // the conversation refuses it
  }
}
