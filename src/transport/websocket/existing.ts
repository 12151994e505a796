import { KiteError } from "../../protocol/errors.ts";
import { DEFAULT_LIMITS } from "../../protocol/limits.ts";
import type { Session } from "../session.ts";
import { adoptNativeSocket } from "./native_socket.ts";
import { RAW_FRAMING } from "./raw_framing.ts";
import { dialWebSocket } from "./session.ts";

/**
 * Opens a session over a WebSocket that exists already. From then on, only the session may use the
 * socket. It does not receive messages that arrived earlier. Each message of the socket is one
 * message of the session, as on the raw WebSocket of a kite and on a kite.js server.
 *
 * @example
 * ```ts ignore
 * const socket = new WebSocket("ws://localhost:3636/kite/websocket");
 * const math = kite.newClient(socket.url, { connect: () => webSocketSession(socket) });
 * await math.dial();
 * ```
 *
 * @param socket a socket that is open or about to open
 * @throws {KiteError} `sendError` if the socket is closed
 */
export async function webSocketSession(socket: WebSocket): Promise<Session> {
  if (socket.readyState > WebSocket.OPEN) {
    throw new KiteError("sendError", "Cannot open a session: the WebSocket is closed");
  }
  return await dialWebSocket(new URL(socket.url), RAW_FRAMING, {
    openSocket: (url, options, handler) => adoptNativeSocket(socket, url, options, handler),
    headers: new Headers(),
    // WebSockets of the runtime cannot ping, so silence does not mean that the connection is lost.
    idleTimeout: Infinity,
    ca: [],
    limits: DEFAULT_LIMITS,
    signal: new AbortController().signal,
  });
}
