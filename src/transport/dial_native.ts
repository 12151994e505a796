import { nativeHttpClient } from "../runtime/native_http.ts";
import { type DialOptions, dialOver, type Network } from "./dial.ts";
import type { Session } from "./session.ts";
import { openNativeSocket } from "./websocket/native_socket.ts";

const NETWORK: Network = Object.freeze({
  headers: () => new Headers(),
  openSocket: openNativeSocket,
  openHttp: nativeHttpClient,
});

/** Dials a session, over the WebSocket and `fetch` of the runtime; see {@linkcode dialOver}. */
export function dialNativeSession(url: string | URL, options: DialOptions): Promise<Session> {
  return dialOver(NETWORK, url, options);
}
