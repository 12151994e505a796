import { canConnect } from "../../runtime/dial.ts";
import { openNativeSocket } from "./native_socket.ts";
import type { MessageSocket, SocketHandler, SocketOptions } from "./socket.ts";
import { openStreamSocket } from "./dial_socket.ts";

/**
 * Opens a WebSocket over a TCP socket if the runtime has them, otherwise the native WebSocket.
 *
 * Deno's native client does not disable Nagle's algorithm, which delays messages from 1,025 bytes to
 * 64 KB by 44 ms. It also supports neither pings nor limits.
 *
 * @throws {HandshakeRefused} if the server does not accept the WebSocket.
 * @throws {KiteError} `sendError` if it cannot be reached; the reason of the signal if aborted.
 */
export function openSocket(
  url: URL,
  options: SocketOptions,
  handler: SocketHandler,
): Promise<MessageSocket> {
  return canConnect()
    ? openStreamSocket(url, options, handler)
    : openNativeSocket(url, options, handler);
}
