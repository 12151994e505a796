import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { KiteError, messageOf } from "../../protocol/errors.ts";
import { isLostConnection } from "../lost_connection.ts";
import { denoNamespace } from "../platform.ts";
import { Timer } from "../timer.ts";
import { NodeStream } from "./node_stream.ts";
import { DenoStream, type Stream } from "./stream.ts";
import { securing } from "./tls.ts";

/** Milliseconds until `accept` is tried again after a failure. */
const ACCEPT_RETRY = 100;
/** Milliseconds between two reports of a failed `accept`. */
const REPORT_INTERVAL = 60_000;

/** How to listen. */
export interface StreamListenOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Called with each connection. Those over TLS have not done their handshake yet. */
  readonly onStream: (stream: Stream) => void;
  /** Called when `accept` fails, which mostly is for want of file descriptors. */
  readonly onFull: () => void;
  readonly onError: (error: unknown) => void;
}

/** A listening socket. */
export interface StreamListener {
  readonly port: number;
  /** Stops listening. Connections stay. */
  close(): Promise<void>;
}

/**
 * Listens for connections.
 *
 * @throws the error of the system, or of the certificate
 */
export async function listenForStreams(options: StreamListenOptions): Promise<StreamListener> {
  const deno = denoNamespace();
  return deno === undefined ? await listenNode(options) : new DenoListener(deno, options);
}

/** Unlike the servers of Deno, it goes on when `accept` fails for want of file descriptors. */
class DenoListener implements StreamListener {
  readonly #listener: Deno.TcpListener;
  readonly #options: StreamListenOptions;
  readonly #streamOver: (connection: Deno.TcpConn) => Stream;
  readonly #ended: Promise<void>;
  #isClosed = false;
  #reportedAt = -Infinity;
  #endPause: () => void = () => {};

  constructor(deno: typeof Deno, options: StreamListenOptions) {
    this.#options = options;
    this.#streamOver = streaming(options.tls);
    this.#listener = deno.listen({ hostname: options.hostname, port: options.port });
    this.#ended = this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#endPause();
    this.#listener.close();
    await this.#ended;
  }

  async #accept(): Promise<void> {
    const { onStream, onFull, onError } = this.#options;
    while (!this.#isClosed) {
      try {
        onStream(this.#streamOver(await this.#listener.accept()));
      } catch (cause) {
        if (this.#isClosed) return;
        if (isLostConnection(cause)) continue;
        const now = performance.now();
        if (now - this.#reportedAt >= REPORT_INTERVAL) {
          this.#reportedAt = now;
          const message = `Cannot accept connections: ${messageOf(cause)}; trying again`;
          onError(new KiteError("limitError", message, { cause }));
        }
        onFull();
        await this.#pause();
      }
    }
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = new Timer(resolve, ACCEPT_RETRY);
    this.#endPause = resolve;
    await promise;
    timer.clear();
  }
}

/** Returns a function that makes a stream of a connection, with TLS or without. */
function streaming(tls: StreamListenOptions["tls"]): (connection: Deno.TcpConn) => Stream {
  if (tls === undefined) return (connection) => new DenoStream(connection);
  const secure = securing(tls);
  return (connection) => new NodeStream(secure(connection), connection.remoteAddr.hostname);
}

async function listenNode(options: StreamListenOptions): Promise<StreamListener> {
  const { hostname, port, tls, onStream, onError } = options;
  const accept = (socket: Socket): void => onStream(new NodeStream(socket));
  const server: Server = tls === undefined
    ? createServer({ noDelay: true, allowHalfOpen: true }, accept)
    : createTlsServer({ ...tls, ALPNProtocols: ["http/1.1"], allowHalfOpen: true }, accept);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, hostname, resolve);
  });
  server.on("error", onError);
  server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
  return {
    port: (server.address() as { port: number }).port,
    // Its callback would wait for the connections, which the caller closes.
    close: () => Promise.resolve(void server.close()),
  };
}
