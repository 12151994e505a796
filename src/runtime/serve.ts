import { describeThrown, KiteError } from "../protocol/errors.ts";
import { connectionServing } from "./connection_server.ts";
import { GuardedServer } from "./guarded_server.ts";
import { denoNamespace } from "./platform.ts";
import type { RequestPeer, RunningServer, ServeHandler } from "./serving.ts";
import { Timer } from "./timer.ts";

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
   * between two requests.
   *
   * @default 10_000
   */
  readonly idleTimeout?: number;
  /**
   * The maximum number of open connections, not counting WebSockets. A further connection replaces
   * the one that has been idle longest, or waits.
   *
   * @default 20_000
   */
  readonly connections?: number;
  /** Called with errors that the handler throws. The request is answered with status 500. */
  readonly onError: (error: unknown) => void;
}

const DEFAULT_DEADLINE = 5_000;
const DEFAULT_IDLE_TIMEOUT = 10_000;
const DEFAULT_CONNECTIONS = 20_000;

/**
 * Listens for HTTP.
 *
 * @throws {KiteError} `configError` if the port is in use or not permitted, the address does not
 * belong to this machine, the certificate is not valid, or this runtime cannot listen
 */
export function serve(handler: ServeHandler, options: ServeOptions): Promise<RunningServer> {
  return Promise.resolve().then(() => listen(handler, options));
}

function listen(handler: ServeHandler, options: ServeOptions): RunningServer {
  const deno = denoNamespace();
  if (deno === undefined) {
    throw new KiteError("configError", "Cannot listen: this runtime has no server; use Deno");
  }
  const { hostname, port, tls, onError } = options;
  const serveHttp = connectionServing();
  try {
    if (serveHttp !== undefined) {
      return new GuardedServer(openListener(deno, options), {
        handler,
        onError,
        serveHttp,
        idleTimeout: options.idleTimeout ?? DEFAULT_IDLE_TIMEOUT,
        connections: options.connections ?? DEFAULT_CONNECTIONS,
      });
    }
    const controller = new AbortController();
    const server = deno.serve(
      {
        hostname,
        port,
        ...(tls === undefined ? {} : { cert: tls.cert, key: tls.key }),
        signal: controller.signal,
        // Otherwise Deno prints a message to standard output.
        onListen: () => {},
        onError: (error) => {
          onError(error);
          return new Response("Internal Server Error\n", { status: 500 });
        },
      },
      (request, info) => handler(request, new DenoPeer(info)),
    );
    return new DenoServer(server, controller);
  } catch (cause) {
    throw explain(cause, hostname, port, tls !== undefined);
  }
}

function openListener(
  deno: typeof Deno,
  { hostname, port, tls }: ServeOptions,
): Deno.Listener<Deno.Conn, Deno.NetAddr> {
  if (tls === undefined) return deno.listen({ hostname, port });
  const { cert, key } = tls;
  const alpnProtocols = ["h2", "http/1.1"];
  return deno.listenTls({ hostname, port, cert, key, alpnProtocols });
}

class DenoPeer implements RequestPeer {
  readonly #info: Deno.ServeHandlerInfo<Deno.NetAddr>;

  constructor(info: Deno.ServeHandlerInfo<Deno.NetAddr>) {
    this.#info = info;
  }

  // Formatted on demand, since few requests use it.
  get remoteAddress(): string {
    const { hostname, port } = this.#info.remoteAddr;
    return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  }
}

class DenoServer implements RunningServer {
  readonly hostname: string;
  readonly port: number;
  readonly finished: Promise<void>;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #controller: AbortController;
  readonly #ended = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  constructor(server: Deno.HttpServer<Deno.NetAddr>, controller: AbortController) {
    this.hostname = server.addr.hostname;
    this.port = server.addr.port;
    this.finished = this.#ended.promise;
    this.#server = server;
    this.#controller = controller;
    void server.finished.then(this.#ended.resolve, this.#ended.reject);
  }

  close(deadline: number = DEFAULT_DEADLINE): Promise<void> {
    return this.#closing ??= this.#close(deadline);
  }

  async abort(): Promise<void> {
    // After a shutdown has begun, an abort makes Deno throw an error that cannot be caught.
    if (this.#closing === undefined) {
      this.#closing = this.finished;
      this.#controller.abort();
    } else {
      this.#giveUp();
    }
    await this.finished;
  }

  async #close(deadline: number): Promise<void> {
    const timer = new Timer(() => this.#giveUp(), deadline);
    try {
      await Promise.race([this.#server.shutdown(), this.finished]);
      await this.finished;
    } finally {
      timer.clear();
    }
  }

  #giveUp(): void {
    this.#server.unref();
    this.#ended.resolve();
  }
}

function explain(cause: unknown, hostname: string, port: number, isTls: boolean): KiteError {
  const name = cause instanceof Error ? cause.name : "";
  // The message of TLS errors may contain a part of the certificate or key.
  const reason = reasonFor(name) ??
    (isTls ? "the certificate or its private key is not valid" : describeThrown(cause));
  const message = `Cannot listen on port ${port} of ${hostname}: ${reason}`;
  return new KiteError("configError", message, { cause });
}

function reasonFor(name: string): string | undefined {
  switch (name) {
    case "AddrInUse":
      return "it is in use; choose another port, or 0 for any free port";
    case "AddrNotAvailable":
      return "this machine has no such address; 0.0.0.0 stands for all of its addresses";
    case "NotCapable":
      return "Deno needs --allow-net for it";
    case "PermissionDenied":
      return "this user may not use it; choose a port from 1024 on";
    default:
      return undefined;
  }
}
