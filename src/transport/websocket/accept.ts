import type { ByteStream, ByteStreamHandler } from "../../runtime/byte_stream.ts";
import { sha1Base64 } from "../../runtime/sha1.ts";
import { type FramedOptions, FramedSocket } from "./framed_socket.ts";
import { ACCEPT_SUFFIX } from "./handshake.ts";
import type { SocketHandler } from "./socket.ts";

/** A key of a client: 16 bytes in Base64. */
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** True if the value of `Sec-WebSocket-Key` is that of a valid handshake. */
export function isHandshakeKey(key: string): boolean {
  return KEY.test(key);
}

/**
 * Answers the handshake on a connection, and frames its messages.
 *
 * @param key the client's, see {@linkcode isHandshakeKey}
 */
export function answerHandshake(
  stream: ByteStream & { handler: ByteStreamHandler },
  key: string,
  options: FramedOptions,
  handler: SocketHandler,
): FramedSocket {
  const accept = sha1Base64(key + ACCEPT_SUFFIX);
  stream.write(new TextEncoder().encode(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  ));
  const socket = new FramedSocket(stream, options, handler);
  stream.handler = socket;
  handler.onOpen(socket);
  return socket;
}
