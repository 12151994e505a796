import { KiteError } from "../protocol/errors.ts";
import { builtinModule, bunNamespace, denoNamespace } from "./platform.ts";
import type { ListenOptions, RunningServer, ServeHandler } from "./serving.ts";

/** Options of {@linkcode serve}. */
export interface ServeOptions {
  /** The address to listen on. */
  readonly hostname: string;
  /** The port to listen on; 0 for any free port. */
  readonly port: number;
  /** A certificate (chain) and its private key, PEM. Without it, the server does not use TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /**
   * Milliseconds that a connection may stay open without a complete request, at its start and
   * between two requests. On Bun, at least 10 seconds at its start and 255 between two requests.
   *
   * @default 10_000
   */
  readonly idleTimeout?: number;
  /**
   * The maximum number of open connections, not counting WebSockets. A further connection replaces
   * the one that has been idle longest. If there is none, it waits; Node closes it instead. Bun does
   * not have this limit.
   *
   * @default 20_000
   */
  readonly connections?: number;
  /**
   * Maximum bytes of a WebSocket message on Bun, which closes the socket after a longer one. On Deno
   * and Node, the sessions limit their messages themselves.
   *
   * @default 67_108_864
   */
  readonly webSocketBytes?: number;
  /** Called with errors that the handler throws. The request is answered with status 500. */
  readonly onError: (error: unknown) => void;
}

const DEFAULT_IDLE_TIMEOUT = 10_000;
const DEFAULT_CONNECTIONS = 20_000;
const DEFAULT_WEB_SOCKET_BYTES = 67_108_864;

/**
 * Listens for HTTP and WebSockets, with connections of Deno, `node:http` or `Bun.serve`.
 *
 * @throws {KiteError} `configError` if the port is in use or not permitted, the address does not
 * belong to this machine, the certificate is not valid, or this runtime cannot listen
 */
export async function serve(handler: ServeHandler, options: ServeOptions): Promise<RunningServer> {
  const listen: ListenOptions = {
    ...options,
    idleTimeout: options.idleTimeout ?? DEFAULT_IDLE_TIMEOUT,
    connections: options.connections ?? DEFAULT_CONNECTIONS,
    webSocketBytes: options.webSocketBytes ?? DEFAULT_WEB_SOCKET_BYTES,
  };
  const deno = denoNamespace();
  if (deno !== undefined) {
    const { DenoServer } = await import("./deno/server.ts");
    return await DenoServer.listen(deno, handler, listen);
  }
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
