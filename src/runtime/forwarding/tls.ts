import { createSecureContext, TLSSocket } from "node:tls";
import type { Socket } from "node:net";
import { StreamDuplex } from "./node_stream.ts";
import { DenoStream } from "./stream.ts";

/** Certificates (chain) and private key, PEM. */
export interface TlsKeys {
  readonly cert: string;
  readonly key: string;
}

/**
 * Returns a function that puts TLS over an accepted connection of Deno. It uses the TLS of Node, since
 * Deno's own cannot close a connection during its handshake.
 */
export function securing({ cert, key }: TlsKeys): (connection: Deno.TcpConn) => TLSSocket {
  const secureContext = createSecureContext({ cert, key });
  const settings = { isServer: true, secureContext, ALPNProtocols: ["http/1.1"] };
  return (connection) => {
    const duplex = new StreamDuplex(new DenoStream(connection));
    const socket = new TLSSocket(duplex as unknown as Socket, settings);
    duplex.feed(socket);
    return socket;
  };
}
