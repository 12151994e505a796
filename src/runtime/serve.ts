import { KiteError } from "../protocol/errors.ts";
import { connectionServing } from "./connection_server.ts";
import { GuardedServer } from "./guarded_server.ts";
import { denoNamespace } from "./host.ts";
import type { RequestPeer, RunningServer, ServeHandler } from "./serving.ts";
import { Timer } from "./timer.ts";

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
   * that has been without a request for the longest time, or waits.
   *
   * @default 20_000
   */
  readonly connections?: number;
  /** Hears what the handler threw; the request is answered with status 500. */
  readonly onError: (error: unknown) => void;
}

const DEFAULT_DEADLINE = 5_000;
const DEFAULT_IDLE_TIMEOUT = 10_000;
const DEFAULT_CONNECTIONS = 20_000;

/**
 * Listens for HTTP.
 *
 * @throws {KiteError} `configError`: the port is in use or may not be listened on, the address is not
 * this machine's, the certificate is no good, or this runtime cannot serve.
 */
export function serve(handler: ServeHandler, options: ServeOptions): Promise<RunningServer> {
  return Promise.resolve().then(() => listen(handler, options));
}

function listen(handler: ServeHandler, options: ServeOptions): RunningServer {
  const deno = denoNamespace();
  if (deno === undefined) {
    throw new KiteError("configError", "this runtime cannot listen; serve with Deno");
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
        // Without it a banner goes to standard output.
        onListen: () => {},
        onError: (error) => {
          onError(error);
          return new Response("Internal Server Error\n", { status: 500 });
        },
      },
      (request, info) => handler(request, new Peer(info)),
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

class Peer implements RequestPeer {
  readonly #info: Deno.ServeHandlerInfo<Deno.NetAddr>;

  constructor(info: Deno.ServeHandlerInfo<Deno.NetAddr>) {
    this.#info = info;
  }

  // Put together only for those who ask.
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
    // Once a shutdown has begun, Deno takes an abort badly: it throws where no one can catch it.
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
  const message = describe(name, `port ${port} on ${hostname}`, isTls) ??
    `port ${port} on ${hostname} cannot be listened on: ${String(cause)}`;
  return new KiteError("configError", message, { cause });
}

function describe(name: string, where: string, isTls: boolean): string | undefined {
  switch (name) {
    case "AddrInUse":
      return `${where} is in use; choose another one, or 0 for any that is free`;
    case "AddrNotAvailable":
      return `${where}: this machine has no such address; 0.0.0.0 is right for all it has`;
    case "NotCapable":
      return `${where} may not be listened on: Deno needs --allow-net for it`;
    case "PermissionDenied":
      return `${where} may not be listened on by this user; ports from 1024 on may`;
    default:
      // What TLS says of a certificate or key may hold a part of it.
      return isTls ? `${where}: the certificate or its private key is no good` : undefined;
  }
}
