import { readRaw, writeRaw } from "../message.ts";
import type { Framing } from "./session.ts";

/** The framing of WebSockets without SockJS, for kite.js servers: one message per text. */
export const RAW_FRAMING: Framing = {
  transport: "rawWebSocket",
  opensAtOnce: true,
  encode(messages, write) {
    writeRaw(messages, write);
  },
  decode(text) {
    return { type: "messages", messages: readRaw(text) };
  },
};
