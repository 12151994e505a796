import type { Socket } from "node:net";
import type { ServerStream } from "../http1/connection.ts";
import { formatAddress } from "../byte_stream.ts";
import { DenoStream } from "../forwarding/stream.ts";
import { StreamDuplex } from "../forwarding/node_stream.ts";
import { SocketStream } from "../socket_stream.ts";

const NOBODY = { onData: () => {}, onEnd: () => {} };

/**
 * Returns a function that puts TLS over a connection. It uses the TLS of Node, since Deno's own cannot
 * close a connection during its handshake.
 *
 * @throws if the certificate or key is not valid
 */
export async function securing(
  tls: { readonly cert: string; readonly key: string },
): Promise<(connection: Deno.TcpConn) => ServerStream> {
  const { createSecureContext, TLSSocket } = await import("node:tls");
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  // Deno's `createSecureContext` accepts anything.
  if (!new X509Certificate(tls.cert).checkPrivateKey(createPrivateKey(tls.key))) {
    throw new TypeError("the private key does not belong to the certificate");
  }
  const secureContext = createSecureContext({ cert: tls.cert, key: tls.key });
  const settings = { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] };
  return (connection) => {
    const { hostname, port } = connection.remoteAddr;
    const duplex = new StreamDuplex(new DenoStream(connection));
    const socket = new TLSSocket(duplex as unknown as Socket, settings);
    socket.on("error", () => socket.destroy()); // "close" follows
    return new SocketStream(socket, NOBODY, formatAddress(hostname, port));
  };
}
