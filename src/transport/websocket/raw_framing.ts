import type { Framing } from "./session.ts";

/** A WebSocket without SockJS: one message per text, as kite.js' WebSocket servers want it. */
export const RAW_FRAMING: Framing = {
  transport: "rawWebSocket",
  opensAtOnce: true,
  encode(messages, write) {
    for (const message of messages) write(message);
  },
  decode(text) {
    return { type: "messages", messages: [text] };
  },
};
