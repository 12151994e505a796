import { formatAddress } from "../byte_stream.ts";
import type { TlsKeys } from "../forwarding/tls.ts";
import type { ServerStream } from "../http1/connection.ts";
import { SocketStream } from "../socket_stream.ts";

const NOBODY = { onData: () => {}, onEnd: () => {} };

/**
 * Returns a function that puts TLS over a connection.
 *
 * @throws if the certificate or key is not valid
 */
export async function securing(
  tls: TlsKeys,
): Promise<(connection: Deno.TcpConn) => ServerStream> {
  const { securing } = await import("../forwarding/tls.ts");
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  // Deno's `createSecureContext` accepts anything.
  if (!new X509Certificate(tls.cert).checkPrivateKey(createPrivateKey(tls.key))) {
    throw new TypeError("the private key does not belong to the certificate");
  }
  const secure = securing(tls);
  return (connection) => {
    const { hostname, port } = connection.remoteAddr;
    const socket = secure(connection);
    socket.on("error", () => socket.destroy()); // "close" follows
    return new SocketStream(socket, NOBODY, formatAddress(hostname, port));
  };
}
