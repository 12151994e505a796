import { KITE_PATH } from "./endpoint.ts";
import type { RequestInfo } from "./endpoint.ts";
import { outsideAddresses } from "./runtime/network.ts";
import { type RunningServer, serve } from "./runtime/serve.ts";

/** What a server is made from. */
export interface ServerInit {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly fetch: (request: Request, info: RequestInfo) => Response | Promise<Response>;
  readonly onError: (error: unknown) => void;
  /** Closes the kite, and this server with it. */
  readonly close: (options: { deadline?: number }) => Promise<void>;
}

/** A kite that listens. */
export class Server implements AsyncDisposable {
  readonly #init: ServerInit;
  readonly #running: RunningServer;

  private constructor(init: ServerInit, running: RunningServer) {
    this.#init = init;
    this.#running = running;
  }

  /** Begins to listen; see {@linkcode Kite.listen}. */
  static async listen(init: ServerInit): Promise<Server> {
    const { hostname, port, tls, fetch, onError } = init;
    const running = await serve(fetch, {
      hostname,
      port,
      onError,
      ...(tls === undefined ? {} : { tls }),
    });
    return new Server(init, running);
  }

  /** The address that is listened on. */
  get hostname(): string {
    return this.#running.hostname;
  }

  /** The port that is listened on. */
  get port(): number {
    return this.#running.port;
  }

  /** The kite's URL, as this machine reaches it. */
  get url(): string {
    const scheme = this.#init.tls === undefined ? "http" : "https";
    return `${scheme}://${reachable(this.hostname)}:${this.port}${KITE_PATH}`;
  }

  /**
   * The kite's URL as others reach it: with the address that is listened on, or, when that is every
   * address, with one of this machine's own that leads outside.
   *
   * @param host what stands for the address, such as a public name
   */
  registerUrl(host?: string): string {
    const { hostname } = this;
    const isEvery = hostname === "0.0.0.0" || hostname === "::";
    const address = host ?? (isEvery ? outsideAddresses()[0] : hostname) ?? "127.0.0.1";
    const url = new URL(this.url);
    url.hostname = address.includes(":") ? `[${address}]` : address;
    return url.href;
  }

  /** Resolves when the server has stopped. */
  get finished(): Promise<void> {
    return this.#running.finished;
  }

  /** Closes the kite gracefully; see {@linkcode Kite.close}. */
  close(options: { deadline?: number } = {}): Promise<void> {
    return this.#init.close(options);
  }

  /** Stops listening; resolves when the last request has ended. */
  stop(): Promise<void> {
    return this.#running.close();
  }

  /** Closes, see {@linkcode Server.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** The address at which this machine reaches a server that listens on `hostname`. */
function reachable(hostname: string): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  if (hostname === "::") return "[::1]";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}
