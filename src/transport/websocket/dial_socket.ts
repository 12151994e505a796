import { connectStream } from "../../runtime/dial.ts";
import { FramedSocket } from "./framed_socket.ts";
import { Handshake } from "./handshake.ts";
import {
  HandshakeRefused,
  type MessageSocket,
  type SocketHandler,
  type SocketOptions,
} from "./socket.ts";

/** Milliseconds within which a server must close the connection after it has refused the handshake. */
const REFUSED_TIMEOUT = 500;

/** Opens a WebSocket (RFC 6455) over a byte stream. Throws like `openSocket`. */
export async function openStreamSocket(
  url: URL,
  options: SocketOptions,
  handler: SocketHandler,
): Promise<MessageSocket> {
  const { signal } = options;
  const handshake = new Handshake(url, options.headers);
  const opened = Promise.withResolvers<MessageSocket>();
  let socket: FramedSocket | undefined;
  let failure: string | undefined;
  let deadline: ReturnType<typeof setTimeout> | undefined;
  const secure = url.protocol === "https:";
  const stream = await connectStream({
    hostname: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
    secure,
    ca: options.ca,
    signal,
  }, {
    onData(bytes) {
      if (socket !== undefined) return socket.onData(bytes);
      if (failure !== undefined) return;
      const used = handshake.feed(bytes);
      if (typeof used === "string") {
        failure = used;
        // Read the answer to its end. Closing earlier resets the connection, which terminates a Node
        // server that does not handle errors on it (npm sockjs without WebSocket).
        stream.end();
        deadline = setTimeout(() => stream.destroy(), REFUSED_TIMEOUT);
      } else if (used !== undefined) {
        socket = new FramedSocket(stream, { ...options, isServer: false }, handler);
        handler.onOpen(socket);
        opened.resolve(socket);
        if (used < bytes.length) socket.onData(bytes.subarray(used));
      }
    },
    onEnd() {
      if (socket !== undefined) return socket.onEnd();
      clearTimeout(deadline);
      opened.reject(
        signal.aborted
          ? signal.reason
          : new HandshakeRefused(failure ?? handshake.ended(), handshake.status),
      );
    },
  });
  const abort = () => stream.destroy();
  signal.addEventListener("abort", abort, { once: true });
  try {
    if (signal.aborted) abort();
    else stream.write(handshake.requestBytes);
    return await opened.promise;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
