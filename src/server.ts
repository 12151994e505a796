import { cannotUse } from "./protocol/refusal.ts";
import type { RequestInfo } from "./endpoint.ts";
import { outsideAddresses } from "./runtime/network.ts";
import { serve } from "./runtime/serve.ts";
import type { RunningServer } from "./runtime/serving.ts";

/** What a server is made from. */
export interface ServerInit {
  readonly hostname: string;
  readonly port: number;
  /** The path of the kite's URL, such as `/kite`. */
  readonly path: string;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Milliseconds that a connection may stay open without a complete request. */
  readonly idleTimeout: number;
  /** Connections that are open at once, without WebSockets. */
  readonly connections: number;
  /** Bytes of a WebSocket message. */
  readonly webSocketBytes: number;
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
    return `${scheme}://${reachable(this.hostname)}:${this.port}${this.#init.path}`;
  }

  /**
   * The kite's URL as others reach it: with the address that is listened on, or, when that is every
   * address, with one of this machine's own that others can reach.
   *
   * @param host replaces the address: a name or an address, with a port or without, such as
   * "kites.example.com:8443" or "[2001:db8::1]"
   * @throws {KiteError} `argumentError` for anything else
   */
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
      const rule = "must be a name or an address, with a port or without";
      throw cannotUse("host", rule, { value: host, type: "argumentError" });
    }
    const url = new URL(this.url);
    // Setting `host` would ignore what it cannot use, and keep the former port.
    url.hostname = new URL(text).hostname;
    const port = /:(\d+)$/.exec(authority.replace(/^\[.*\]/, ""))?.[1];
    if (port !== undefined) url.port = port;
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

/** A name or address with an optional port; IPv6 in brackets. */
const HOST = /^(\[[0-9a-f:.]+\]|[^\s/?#@\\:[\]]+)(:\d{1,5})?$/i;

function isIPv6(host: unknown): boolean {
  return typeof host === "string" && /^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(host);
}
