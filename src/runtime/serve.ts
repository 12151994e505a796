import { builtinModule, bunNamespace, denoNamespace } from "./host.ts";
import { KiteError } from "../protocol/errors.ts";
import { serveDeno } from "./serve_deno.ts";
import type { ListenOptions, RunningServer, ServeHandler } from "./serving.ts";

/** How {@linkcode serve} listens. */
export interface ServeOptions {
  /** The address to listen on. */
  readonly hostname: string;
  /** The port to listen on, 0 for any that is free. */
  readonly port: number;
  /** A certificate (chain) and its private key, PEM; without it no TLS is spoken. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /**
   * Milliseconds that a connection may stay open without a complete request, at its start and
   * between two requests.
   *
   * @default 10_000
   */
  readonly idleTimeout?: number;
  /**
   * Connections that are open at once, without WebSockets. A further one takes the place of the one
   * that has been without a request for the longest time. If there is none, it waits, or on Node is
   * closed. Bun has no such limit.
   *
   * @default 20_000
   */
  readonly connections?: number;
  /**
   * Bytes of a WebSocket message that Node and Bun receive. A longer one closes the socket with code
   * 1009 or, on Bun, without one. Deno receives up to 64 MiB.
   *
   * @default 67_108_864
   */
  readonly webSocketBytes?: number;
  /** Hears what the handler threw; the request is answered with status 500. */
  readonly onError: (error: unknown) => void;
}

const DEFAULT_IDLE_TIMEOUT = 10_000;
const DEFAULT_CONNECTIONS = 20_000;
const DEFAULT_WEB_SOCKET_BYTES = 67_108_864;

/**
 * Listens for HTTP and WebSocket with the server of the runtime: Deno's, `node:http` or `Bun.serve`.
 *
 * @throws {KiteError} `configError`: the port is in use or may not be listened on, the address is not
 * this machine's, the certificate is no good, or this runtime cannot serve.
 */
export async function serve(handler: ServeHandler, options: ServeOptions): Promise<RunningServer> {
  const listen: ListenOptions = {
    ...options,
    idleTimeout: options.idleTimeout ?? DEFAULT_IDLE_TIMEOUT,
    connections: options.connections ?? DEFAULT_CONNECTIONS,
    webSocketBytes: options.webSocketBytes ?? DEFAULT_WEB_SOCKET_BYTES,
  };
  const deno = denoNamespace();
  if (deno !== undefined) return serveDeno(deno, handler, listen);
  const bun = bunNamespace();
  if (bun !== undefined) {
    const { BunServer } = await import("./bun/server.ts");
    return new BunServer(bun, handler, listen);
  }
  if (builtinModule("node:http") === undefined) {
    throw new KiteError("configError", "Cannot listen: this runtime has no server");
  }
  const { NodeServer } = await import("./node/server.ts");
  return await NodeServer.listen(handler, listen);
}
