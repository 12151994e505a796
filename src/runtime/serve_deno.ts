import { cannotListen } from "./cannot_listen.ts";
import { connectionServing } from "./connection_server.ts";
import { GuardedServer } from "./guarded_server.ts";
import type { ListenOptions, RequestPeer, RunningServer, ServeHandler } from "./serving.ts";
import { Timer } from "./timer.ts";

const DEFAULT_DEADLINE = 5_000;

/**
 * Listens with Deno's own server.
 *
 * @throws {KiteError} `configError`, as `serve` does
 */
export function serveDeno(
  deno: typeof Deno,
  handler: ServeHandler,
  options: ListenOptions,
): RunningServer {
  const { hostname, port, tls, onError } = options;
  const serveHttp = connectionServing();
  try {
    if (serveHttp !== undefined) {
      return new GuardedServer(openListener(deno, options), { ...options, handler, serveHttp });
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
    throw cannotListen(codeOf(cause), cause, options);
  }
}

function openListener(
  deno: typeof Deno,
  { hostname, port, tls }: ListenOptions,
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

/** Translates the names of Deno's errors to the codes of the system. */
function codeOf(cause: unknown): string {
  const name = cause instanceof Error ? cause.name : "";
  switch (name) {
    case "AddrInUse":
      return "EADDRINUSE";
    case "AddrNotAvailable":
      return "EADDRNOTAVAIL";
    case "PermissionDenied":
      return "EACCES";
    default:
      return name;
  }
}
