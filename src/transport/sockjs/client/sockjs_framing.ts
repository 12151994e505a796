import { decodeFrame } from "../frames.ts";
import { encodeUpstream, frameEnd } from "./upstream.ts";
import type { Framing } from "../../websocket/session.ts";

/** The framing of SockJS over WebSocket: one JSON array per turn (docs/protocol.md §1). */
export const SOCKJS_FRAMING: Framing = {
  transport: "WebSocket",
  opensAtOnce: false,
  encode(messages, write) {
    let start = 0;
    while (start < messages.length) {
      const end = frameEnd(messages, start);
      const whole = start === 0 && end === messages.length;
      write(encodeUpstream(whole ? messages : messages.slice(start, end)));
      start = end;
    }
  },
  decode: decodeFrame,
};
