import type { RegisterResult } from "../../discovery/register_result.ts";
import type { Kite } from "../../kite.ts";
import type { CloseOptions } from "../../kite_options.ts";
import type { KiteRequest } from "../../rpc/request.ts";
import type { Decision, RequestHead } from "../../runtime/forwarding/types.ts";
import { completeLimits, DEFAULT_PROXY_LIMITS, type ProxyLimits } from "../limits.ts";
import { RegisteredKites } from "../registered_kites.ts";
import { answer, type ProxyOptions, ProxyServer } from "../server.ts";
import type { Target } from "../target.ts";
import { type KitePlace, readKiteUrl } from "./kite_url.ts";

/** The options of a {@linkcode ReverseProxy}. */
export interface ReverseProxyOptions extends ProxyOptions {
  /**
   * Refuses kites with a private or local address.
   *
   * @default false
   */
  readonly refusePrivateAddresses?: boolean;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<ProxyLimits>;
}

interface Route extends KitePlace {
  /** Requests and WebSockets that are forwarded now. */
  exchanges: number;
}

/**
 * Makes kites reachable through one host and port: HTTP, every SockJS transport, and WebSocket. A
 * kite registers with {@linkcode Kite.registerToProxy}, and is removed when it disconnects.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 * import { ReverseProxy } from "@kite/kite/proxy";
 *
 * await using proxy = new ReverseProxy({
 *   ip: "127.0.0.1",
 *   port: 0,
 *   kite: { disableAuthentication: true },
 * });
 * await proxy.listen();
 *
 * await using math = new Kite("math", "1.0.0", { ip: "127.0.0.1" });
 * math.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
 * const server = await math.listen();
 * const url = await math.registerToProxy(server.url, { proxyUrl: proxy.url, kontrol: false });
 *
 * await using remote = new Kite("exp2", "1.0.0").newClient(url);
 * await remote.dial();
 * console.assert(await remote.tell("square", 4) === 16);
 * ```
 */
export class ReverseProxy implements AsyncDisposable {
  readonly #server: ProxyServer;
  readonly #limits: ProxyLimits;
  readonly #publicOnly: boolean;
  readonly #routes: RegisteredKites<Route>;

  /**
   * Creates a proxy. It does not listen yet.
   *
   * @throws {KiteError} `configError` for an option that cannot be used
   */
  constructor(options: ReverseProxyOptions = {}) {
    this.#limits = completeLimits(DEFAULT_PROXY_LIMITS, options.limits);
    this.#publicOnly = options.refusePrivateAddresses ?? false;
    this.#routes = new RegisteredKites(this.#limits.kites, (id) => {
      this.kite.log.info("The kite {id} is no longer registered", { id });
    });
    this.#server = new ProxyServer(options, {
      name: "proxy",
      limits: this.#limits,
      decide: (head, target) => this.#decide(head, target),
    });
    this.kite.handle("register", (request) => this.#register(request));
  }

  /** The proxy's own kite, to which you can add methods and authenticators. */
  get kite(): Kite {
    return this.#server.kite;
  }

  /**
   * The URL at which kites register.
   *
   * @throws {KiteError} `configError` before `listen`
   */
  get url(): string {
    return `${this.#server.origin}/kite`;
  }

  /** The port that the proxy listens on; 0 before `listen`. */
  get port(): number {
    return this.#server.port;
  }

  /** The numbers of registered kites, open connections, and requests that are forwarded now. */
  get load(): { kites: number; connections: number; exchanges: number } {
    const exchanges = this.#routes.values().reduce((sum, route) => sum + route.exchanges, 0);
    return { kites: this.#routes.size, connections: this.#server.connections, exchanges };
  }

  /**
   * Listens on the configured address and port.
   *
   * @throws {KiteError} `configError` if the port is in use
   */
  listen(): Promise<void> {
    return this.#server.listen();
  }

  /**
   * Registers the proxy at Kontrol, so that kites find it. Registers again after each reconnection.
   */
  register(): Promise<RegisterResult> {
    return this.#server.register();
  }

  /** Stops listening, and closes all connections; those with running requests at the deadline. */
  close(options: CloseOptions = {}): Promise<void> {
    return this.#server.close(options.deadline);
  }

  /** Closes the proxy, see {@linkcode ReverseProxy.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Serves `register(url)`.
   *
   * @returns the URL under which others reach the kite
   */
  #register(request: KiteRequest): string {
    const place = readKiteUrl(request.args.one().string(), this.#publicOnly);
    this.#routes.add(request, { ...place, exchanges: 0 });
    const { id, name } = request.kite;
    this.kite.log.info("The kite {id} ({name}) is registered", { id, name });
    return `${this.#server.origin}/proxy/${id}`;
  }

  #decide(head: RequestHead, { path, query }: Target): Decision | undefined {
    const [, top, id = "", ...rest] = path.split("/");
    if (top !== "proxy") return undefined;
    const route = this.#routes.get(id);
    if (route === undefined) return answer(502, "No kite with this id is registered at this proxy");
    const below = rest.map((segment) => `/${segment}`).join("");
    const target = (route.path + below || "/") + query;
    return this.#server.forward(head, route.upstream, target, () => this.#enter(route));
  }

  #enter(route: Route): (() => void) | undefined {
    if (route.exchanges >= this.#limits.exchangesPerKite) return undefined;
    route.exchanges++;
    let hasLeft = false;
    return () => {
      if (!hasLeft) route.exchanges--;
      hasLeft = true;
    };
  }
}
