import { readTls, type TlsFiles, type TlsPair } from "../config_files.ts";
import { checkHost, checkPort } from "../config_values.ts";
import { Kite } from "../kite.ts";
import type { KiteOptions } from "../kite_options.ts";
import type { RegisterResult } from "../discovery/register_result.ts";
import { Lifecycle } from "../lifecycle.ts";
import { KiteError } from "../protocol/errors.ts";
import { VERSION } from "../protocol/package_version.ts";
import { readTextFileSync } from "../runtime/files.ts";
import { ForwardingServer } from "../runtime/forwarding/server.ts";
import type { Decision, RequestHead, Upstream } from "../runtime/forwarding/types.ts";
import { serve } from "../runtime/serve.ts";
import { forwardedPeer, type RunningServer, type ServeHandler } from "../runtime/serving.ts";
import { endToEnd, hasPassed, requestHeaders, valuesOf } from "./headers.ts";
import type { ProxyLimits } from "./limits.ts";
import { readTarget, type Target } from "./target.ts";

/** The options of both proxies. */
export interface ProxyOptions {
  /**
   * The address to listen on.
   *
   * @default "0.0.0.0"
   */
  readonly ip?: string;
  /**
   * The port to listen on, or 0 for any free port.
   *
   * @default 3999
   */
  readonly port?: number;
  /**
   * The host under which clients and kites reach the proxy.
   *
   * @default "127.0.0.1"
   */
  readonly publicHost?: string;
  /**
   * The port under which they reach it.
   *
   * @default `port`
   */
  readonly publicPort?: number;
  /**
   * The certificate to serve TLS with.
   *
   * @default none
   */
  readonly tls?: TlsPair | TlsFiles;
  /**
   * The version under which the proxy is listed.
   *
   * @default the version of this package
   */
  readonly version?: string;
  /** Options of the proxy's own kite: kite.key, Kontrol, environment, logger, limits. */
  readonly kite?: Omit<KiteOptions, "ip" | "port" | "tls">;
}

/** The parts of a {@linkcode ProxyServer} that differ between the two proxies. */
export interface ProxyKind {
  readonly name: string;
  readonly limits: ProxyLimits;
  /** Decides what to do with a request. With `undefined`, the proxy's own kite answers it. */
  decide(head: RequestHead, target: Target): Decision | undefined | Promise<Decision | undefined>;
}

interface ForwardedHeaders {
  readonly host: string;
  readonly headers: readonly string[];
}

const DEFAULT_PORT = 3999;
const DEFAULT_DEADLINE = 5_000;
/** Milliseconds to send the last frames after the deadline. */
const FLUSH_TIME = 100;

/**
 * The common part of both proxies: a server that receives all requests, and a kite that answers
 * those for the proxy itself. This kite listens on a loopback port of its own, and the server
 * forwards requests to it as to any kite behind the proxy.
 */
export class ProxyServer {
  readonly kite: Kite;
  readonly #kind: ProxyKind;
  readonly #options: ProxyOptions;
  readonly #tls: TlsPair | undefined;
  readonly #lifecycle = new Lifecycle();
  /** The headers that were forwarded for those of a request. */
  readonly #forwarded = new WeakMap<readonly string[], ForwardedHeaders>();
  #server: ForwardingServer | undefined;
  #inner: RunningServer | undefined;
  #own: Upstream | undefined;

  /** @throws {KiteError} `configError` that names an option that cannot be used */
  constructor(options: ProxyOptions, kind: ProxyKind) {
    checkHost("ip", options.ip ?? "0.0.0.0");
    checkHost("publicHost", options.publicHost ?? "127.0.0.1");
    checkPort("port", options.port ?? DEFAULT_PORT);
    checkPort("publicPort", options.publicPort ?? DEFAULT_PORT);
    this.#options = options;
    this.#kind = kind;
    this.#tls = options.tls === undefined ? undefined : readTls(options.tls, readTextFileSync);
    this.kite = new Kite(kind.name, options.version ?? VERSION, {
      ...options.kite,
      ip: "127.0.0.1",
      port: 0,
    });
  }

  /**
   * The proxy's address for clients, `scheme://host:port`.
   *
   * @throws {KiteError} `configError` before `listen`
   */
  get origin(): string {
    if (this.#server === undefined) {
      throw new KiteError(
        "configError",
        "Cannot return the URL of the proxy: it does not listen yet",
      );
    }
    const { publicHost = "127.0.0.1", publicPort = this.#server.port } = this.#options;
    const host = publicHost.includes(":") ? `[${publicHost}]` : publicHost;
    return `${this.#tls === undefined ? "http" : "https"}://${host}:${publicPort}`;
  }

  /** The port that the proxy listens on; 0 before `listen`. */
  get port(): number {
    return this.#server?.port ?? 0;
  }

  /** The number of open connections. */
  get connections(): number {
    return this.#server?.connections ?? 0;
  }

  /**
   * Listens on the configured address and port.
   *
   * @throws {KiteError} `configError` if the port is in use
   */
  listen(): Promise<void> {
    return this.#lifecycle.start(() => this.#listen());
  }

  async #listen(): Promise<void> {
    if (this.#server !== undefined) {
      throw new KiteError("configError", "Cannot listen: the proxy already listens");
    }
    const handler: ServeHandler = (request, peer) =>
      this.kite.fetch(request, forwardedPeer(peer, clientOf(request).remoteAddress));
    const inner = await serve(handler, {
      hostname: "127.0.0.1",
      port: 0,
      onError: (error) => this.#report(error),
    });
    this.#inner = inner;
    this.#own = { hostname: "127.0.0.1", port: inner.port, secure: false, publicOnly: false };
    try {
      this.#server = await ForwardingServer.listen({
        hostname: this.#options.ip ?? "0.0.0.0",
        port: this.#options.port ?? DEFAULT_PORT,
        ...(this.#tls === undefined ? {} : { tls: this.#tls }),
        ca: this.kite.config.ca,
        limits: this.#kind.limits,
        decide: (head) => this.#decide(head),
        answerHeaders: (rawHeaders) => endToEnd(rawHeaders),
        onError: (error) => this.#report(error),
      });
    } catch (error) {
      await this.#close(0);
      throw error;
    }
  }

  /**
   * Registers the proxy at Kontrol, so that kites find it. Registers again after each reconnection.
   */
  register(): Promise<RegisterResult> {
    return this.kite.register(`${this.origin}/kite`);
  }

  /** Stops listening, and closes all connections. */
  close(deadline: number = DEFAULT_DEADLINE): Promise<void> {
    return this.#lifecycle.stop(() => this.#close(deadline));
  }

  async #close(deadline: number): Promise<void> {
    const server = this.#server;
    const inner = this.#inner;
    this.#server = undefined;
    this.#inner = undefined;
    const end = performance.now() + deadline;
    const left = (): number => Math.max(end - performance.now(), Math.min(deadline, FLUSH_TIME));
    // The kite first, since its close frames are sent through the server.
    await this.kite.close({ deadline });
    await server?.close(left());
    await inner?.close(left());
  }

  /** Creates the decision to forward a request to an upstream. */
  forward(
    head: RequestHead,
    upstream: Upstream,
    target: string,
    enter?: () => (() => void) | undefined,
  ): Decision {
    const { hostname, port } = upstream;
    const host = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
    // A client mostly sends the same headers again, which are then the same array.
    let former = this.#forwarded.get(head.rawHeaders);
    if (former?.host !== host) {
      former = { host, headers: requestHeaders(head, host, this.kite.id) };
      this.#forwarded.set(head.rawHeaders, former);
    }
    return {
      kind: "forward",
      upstream,
      target,
      headers: former.headers,
      ...(enter === undefined ? {} : { enter }),
    };
  }

  #report(error: unknown): void {
    this.kite.log.error("A request failed inside the proxy: {reason}", { reason: String(error) });
  }

  async #decide(head: RequestHead): Promise<Decision> {
    const target = readTarget(head.target);
    if (target === undefined) {
      return answer(400, "The request target must be a plain path, such as /proxy/ID/info");
    }
    if (valuesOf(head.rawHeaders, "host").length !== 1) {
      return answer(400, "The request must have exactly one Host header");
    }
    if (head.method === "TRACE") return answer(405, "TRACE is refused");
    if (hasPassed(head.rawHeaders, this.kite.id)) {
      return answer(508, "The request has already passed this proxy");
    }
    const decision = await this.#kind.decide(head, target);
    return decision ?? this.forward(head, this.#own!, target.path + target.query);
  }
}

/** Returns the address of the client, which the proxy's server has added as the last one. */
export function clientOf(request: Request): { remoteAddress: string } {
  const address = request.headers.get("x-forwarded-for")?.split(", ").at(-1) ?? "";
  return { remoteAddress: address.includes(":") ? `[${address}]:0` : `${address}:0` };
}

/** Creates the decision to answer a request with one line of text. */
export function answer(status: number, text: string): Decision {
  return { kind: "answer", status, text: `${text}\n` };
}
