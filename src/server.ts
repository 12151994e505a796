import { cannotUse } from "./protocol/refusal.ts";
import type { CloseOptions } from "./kite_options.ts";
import { outsideAddresses } from "./runtime/network.ts";
import { serve } from "./runtime/serve.ts";
import type { RunningServer } from "./runtime/serving.ts";
import type { RequestInfo } from "./transport/sockjs/server/mod.ts";

/** What a server needs to listen. */
export interface ServerInit {
  readonly hostname: string;
  readonly port: number;
  /** The path of the kite's URL, such as `/kite`. */
  readonly path: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Milliseconds until a connection without a complete request is closed. */
  readonly idleTimeout: number;
  /** Maximum number of open connections, without WebSockets. */
  readonly connections: number;
  /** Maximum bytes of a WebSocket message. */
  readonly webSocketBytes: number;
  readonly fetch: (request: Request, info: RequestInfo) => Response | Promise<Response>;
  readonly onError: (error: unknown) => void;
  /** Closes the kite, and this server with it. */
  readonly close: (options: CloseOptions) => Promise<void>;
}

/**
 * A kite that listens, see {@linkcode Kite.listen}.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const kite = new Kite("math", "1.0.0", { ip: "127.0.0.1" });
 * await using server = await kite.listen();
 * console.assert(server.url === `http://127.0.0.1:${server.port}/kite`);
 * ```
 */
export interface Server extends AsyncDisposable {
  /** The address that the kite listens on. */
  readonly hostname: string;
  /** The port that the kite listens on. */
  readonly port: number;
  /** The kite's URL for clients on this machine. */
  readonly url: string;
  /** Resolves when the kite no longer listens. */
  readonly finished: Promise<void>;
  /**
   * Returns the kite's URL for clients on other machines. It contains the address that the kite
   * listens on. If the kite listens on all addresses, it contains one of this machine's addresses that
   * others can reach.
   *
   * @param host replaces the address: a name or an address, with or without a port, such as
   * "kites.example.com:8443" or "[2001:db8::1]"
   * @throws {KiteError} `argumentError` for any other host
   */
  registerUrl(host?: string): string;
  /** Closes the kite, see {@linkcode Kite.close}. */
  close(options?: CloseOptions): Promise<void>;
}

/** The implementation of {@linkcode Server}. */
export class ListeningServer implements Server {
  readonly #init: ServerInit;
  readonly #running: RunningServer;

  private constructor(init: ServerInit, running: RunningServer) {
    this.#init = init;
    this.#running = running;
  }

  /** Begins to listen. */
  static async listen(init: ServerInit): Promise<ListeningServer> {
    const { hostname, port, tls, idleTimeout, connections, webSocketBytes, fetch, onError } = init;
    const running = await serve(fetch, {
      hostname,
      port,
      idleTimeout,
      connections,
      webSocketBytes,
      onError,
      ...(tls === undefined ? {} : { tls }),
    });
    return new ListeningServer(init, running);
  }

  get hostname(): string {
    return this.#running.hostname;
  }

  get port(): number {
    return this.#running.port;
  }

  get url(): string {
    const scheme = this.#init.tls === undefined ? "http" : "https";
    return `${scheme}://${reachable(this.hostname)}:${this.port}${this.#init.path}`;
  }

  get finished(): Promise<void> {
    return this.#running.finished;
  }

  registerUrl(host?: string): string {
    const { hostname } = this;
    const isEvery = hostname === "0.0.0.0" || hostname === "::";
    if (host !== undefined) return this.#urlAt(host);
    return this.#urlAt((isEvery ? outsideAddresses()[0] : hostname) ?? "127.0.0.1");
  }

  #urlAt(host: string): string {
    const authority = isIPv6(host) ? `[${host}]` : host;
    const text = `http://${authority}`;
    if (typeof host !== "string" || !HOST.test(authority) || !URL.canParse(text)) {
      const rule = "must be a name or an address, with or without a port";
      throw cannotUse("host", rule, { value: host, type: "argumentError" });
    }
    const url = new URL(this.url);
    // The setter of `host` would ignore an invalid value and keep the old port.
    url.hostname = new URL(text).hostname;
    const port = /:(\d+)$/.exec(authority.replace(/^\[.*\]/, ""))?.[1];
    if (port !== undefined) url.port = port;
    return url.href;
  }

  async close(options: CloseOptions = {}): Promise<void> {
    await this.#init.close(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Stops listening. Resolves when the last request has ended. */
  async stopListening(): Promise<void> {
    await this.#running.close();
  }
}

/** The address of a server that listens on `hostname`, for clients on this machine. */
function reachable(hostname: string): string {
  if (hostname === "0.0.0.0") return "127.0.0.1";
  if (hostname === "::") return "[::1]";
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

/** A name or address with an optional port; IPv6 in brackets. */
const HOST = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]+)(:\d{1,5})?$/i;

function isIPv6(host: unknown): boolean {
  return typeof host === "string" && /^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(host);
}
