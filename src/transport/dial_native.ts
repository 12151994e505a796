import { type DialOptions, dialOver } from "./dial.ts";
import type { Session } from "./session.ts";
import { openNativeSocket } from "./websocket/native_socket.ts";

/** Dials a session, over the WebSocket that the runtime provides; see {@linkcode dialOver}. */
export function dialNativeSession(url: string | URL, options: DialOptions): Promise<Session> {
  return dialOver(openNativeSocket, url, options);
}
