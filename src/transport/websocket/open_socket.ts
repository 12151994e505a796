import { canConnect } from "../../runtime/dial.ts";
import { openNativeSocket } from "./native_socket.ts";
import type { ClientSocket, ClientSocketHandler, SocketOptions } from "./socket.ts";
import { openStreamSocket } from "./stream_socket.ts";

/**
 * Opens a WebSocket: over a socket of our own where the runtime has them, else the native one.
 *
 * Deno's native client leaves Nagle's algorithm on, which costs 44 ms on every message from 1,025
 * bytes to 64 KB, and takes neither pings nor limits.
 *
 * @throws {HandshakeRefused} when the server answers with anything but a WebSocket.
 * @throws {KiteError} `sendError` when it cannot be reached; the reason of the signal when aborted.
 */
export function openSocket(
  url: URL,
  options: SocketOptions,
  handler: ClientSocketHandler,
): Promise<ClientSocket> {
  return canConnect()
    ? openStreamSocket(url, options, handler)
    : openNativeSocket(url, options, handler);
}
