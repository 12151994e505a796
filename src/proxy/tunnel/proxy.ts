import { Lifecycle } from "../../lifecycle.ts";
import type { RegisterResult } from "../../discovery/register_result.ts";
import type { Kite } from "../../kite.ts";
import type { CloseOptions } from "../../kite_options.ts";
import type { RemoteKite } from "../../rpc/remote.ts";
import type { KiteRequest } from "../../rpc/request.ts";
import { formatAddress } from "../../runtime/byte_stream.ts";
import type { Decision, RequestHead } from "../../runtime/forwarding/types.ts";
import type { Session } from "../../transport/session.ts";
import { IncomingBytes } from "../../transport/sockjs/server/incoming_bytes.ts";
import { SockJsServer } from "../../transport/sockjs/server/mod.ts";
import { answerHandshake, isHandshakeKey } from "../../transport/websocket/accept.ts";
import { completeLimits, DEFAULT_TUNNEL_LIMITS, type TunnelProxyLimits } from "../limits.ts";
import { valuesOf } from "../headers.ts";
import { RegisteredKites } from "../registered_kites.ts";
import { answer, clientOf, type ProxyOptions, ProxyServer } from "../server.ts";
import type { Target } from "../target.ts";
import { SessionEnd, SocketEnd, type TunnelEnd } from "./ends.ts";
import { TunnelTokens } from "./tokens.ts";
import { Tunnel, UNREACHABLE } from "./tunnel.ts";

/** The options of a {@linkcode TunnelProxy}. */
export interface TunnelProxyOptions extends ProxyOptions {
  /**
   * The private key, PEM, that signs the tokens with which kites dial back.
   *
   * @default one made at the start
   */
  readonly privateKey?: string;
  /**
   * Milliseconds between heartbeats on the sessions of a tunnel.
   *
   * @default 25_000
   */
  readonly heartbeat?: number;
  /** Limits that differ from the defaults. */
  readonly limits?: Partial<TunnelProxyLimits>;
}

/** A kite that is registered at the proxy. */
interface PrivateKite {
  readonly id: string;
  readonly client: RemoteKite;
  tunnels: number;
}

const WEBSOCKET = /^\/(proxy|tunnel)\/[^/.]{1,256}\/[^/.]{1,256}\/websocket$/;
const DEFAULT_HEARTBEAT = 25_000;
const NO_SUCH_KITE = "No kite with this id is registered at this proxy";

/**
 * Makes kites reachable that cannot be dialled, such as those behind NAT. A kite registers with
 * {@linkcode Kite.registerToTunnel}. For each client that dials the proxy, the kite dials the proxy
 * back, and the proxy joins the two sessions.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 * import { TunnelProxy } from "@kite/kite/proxy";
 *
 * await using proxy = new TunnelProxy({
 *   ip: "127.0.0.1",
 *   port: 0,
 *   kite: { disableAuthentication: true },
 * });
 * await proxy.listen();
 *
 * await using math = new Kite("math", "1.0.0");
 * math.handle("square", ({ args }) => args.one().number() ** 2).disableAuthentication();
 * const url = await math.registerToTunnel({ proxyUrl: proxy.url, kontrol: false });
 *
 * await using remote = new Kite("exp2", "1.0.0").newClient(url);
 * await remote.dial();
 * console.assert(await remote.tell("square", 4) === 16);
 * ```
 */
export class TunnelProxy implements AsyncDisposable {
  readonly #server: ProxyServer;
  readonly #limits: TunnelProxyLimits;
  readonly #options: TunnelProxyOptions;
  readonly #kites: RegisteredKites<PrivateKite>;
  readonly #tunnels = new Map<string, Tunnel>();
  readonly #sockjs: SockJsServer;
  readonly #incoming: IncomingBytes;
  readonly #lifecycle = new Lifecycle();
  #tokens: TunnelTokens | undefined;
  #heartbeat: ReturnType<typeof setInterval> | undefined;

  /**
   * Creates a proxy. It does not listen yet.
   *
   * @throws {KiteError} `configError` for an option that cannot be used
   */
  constructor(options: TunnelProxyOptions = {}) {
    this.#options = options;
    this.#limits = completeLimits(DEFAULT_TUNNEL_LIMITS, options.limits);
    this.#kites = new RegisteredKites(this.#limits.kites, (id) => {
      this.kite.log.info("The kite {id} is no longer registered", { id });
    });
    this.#server = new ProxyServer(options, {
      name: "tunnelproxy",
      limits: this.#limits,
      decide: (head, target) => this.#decide(head, target),
    });
    this.#incoming = new IncomingBytes(this.kite.config.limits);
    this.kite.handle("register", (request) => this.#register(request));
    this.#sockjs = new SockJsServer({
      prefix: "/proxy",
      rawWebSocket: false,
      heartbeat: options.heartbeat ?? DEFAULT_HEARTBEAT,
      limits: { ...this.kite.config.limits, sessions: this.#limits.tunnels },
      onSession: (session, request) => this.#acceptSession(session, request),
      onError: (error) =>
        this.kite.log.error("A session failed: {error}", { error: String(error) }),
    });
    for (const path of ["/proxy", "/proxy/*"]) {
      this.kite.handleHttp(path, (request) => this.#answer(request));
    }
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

  /** The numbers of registered kites, open connections, and tunnels. */
  get load(): { kites: number; connections: number; tunnels: number } {
    const { connections } = this.#server;
    return { kites: this.#kites.size, connections, tunnels: this.#tunnels.size };
  }

  /**
   * Listens on the configured address and port.
   *
   * @throws {KiteError} `configError` if the port is in use, or the private key cannot be used
   */
  listen(): Promise<void> {
    return this.#lifecycle.start(() => this.#listen());
  }

  async #listen(): Promise<void> {
    this.#tokens ??= await TunnelTokens.create(this.#options.privateKey);
    await this.#server.listen();
    this.#heartbeat = setInterval(() => {
      for (const tunnel of this.#tunnels.values()) tunnel.beat();
    }, this.#options.heartbeat ?? DEFAULT_HEARTBEAT);
  }

  /**
   * Registers the proxy at Kontrol, so that kites find it. Registers again after each reconnection.
   */
  register(): Promise<RegisterResult> {
    return this.#server.register();
  }

  /** Stops listening, and closes all tunnels and connections. */
  close(options: CloseOptions = {}): Promise<void> {
    return this.#lifecycle.stop(() => this.#close(options));
  }

  async #close(options: CloseOptions): Promise<void> {
    clearInterval(this.#heartbeat);
    for (const tunnel of this.#tunnels.values()) tunnel.close();
    await this.#sockjs.close();
    await this.#server.close(options.deadline);
  }

  /** Closes the proxy, see {@linkcode TunnelProxy.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /**
   * Serves `register("")`.
   *
   * @returns the URL under which others reach the kite
   */
  #register(request: KiteRequest): string {
    const { client, kite: { id, name } } = request;
    this.#kites.add(request, { id, client, tunnels: 0 });
    this.kite.log.info("The kite {id} ({name}) is registered", { id, name });
    return `${this.#server.origin}/proxy?kiteID=${id}`;
  }

  #decide(
    head: RequestHead,
    { path, query }: Target,
  ): Decision | undefined | Promise<Decision> {
    const side = head.isWebSocket ? WEBSOCKET.exec(path)?.[1] : undefined;
    const parameters = new URLSearchParams(query);
    if (side === "tunnel") return this.#decideTunnel(head, parameters.get("token") ?? "");
    if (side !== "proxy") return undefined;
    const kite = this.#kites.get(parameters.get("kiteID") ?? "");
    if (kite === undefined) return answer(502, NO_SUCH_KITE);
    if (!this.#hasRoom(kite)) return answer(503, "The proxy has no room for another tunnel");
    const address = formatAddress(head.remoteAddress, 0);
    return this.#accept(head, address, (end) => void this.#open(kite, end));
  }

  async #decideTunnel(head: RequestHead, token: string): Promise<Decision> {
    const claims = await this.#tokens?.verify(token);
    const tunnel = claims && this.#tunnels.get(claims.tunnelId);
    // A token can be used once: a tunnel that has both ends accepts no other.
    if (tunnel === undefined || tunnel.isTaken || tunnel.kiteId !== claims?.kiteId) {
      return answer(403, "The token is not valid, expired, or used");
    }
    return this.#accept(head, "", (end) => tunnel.join(end));
  }

  /**
   * Accepts the WebSocket of one end of a tunnel.
   *
   * @param address whose memory incomplete messages use; `""` for a kite with many tunnels
   */
  #accept(head: RequestHead, address: string, use: (end: SocketEnd) => void): Decision {
    const key = valuesOf(head.rawHeaders, "sec-websocket-key").join();
    const version = valuesOf(head.rawHeaders, "sec-websocket-version").join();
    if (!isHandshakeKey(key) || version !== "13") {
      return answer(400, "The request is no valid handshake of WebSocket version 13");
    }
    const { messageBytes: maxBytes, queuedBytes: outgoingBytes } = this.#limits;
    return {
      kind: "accept",
      accept: (stream) => {
        const end = new SocketEnd(stream, this.#incoming, address);
        answerHandshake(stream, key, { isServer: true, maxBytes, outgoingBytes }, end);
        use(end);
      },
    };
  }

  /** Answers a client of one of the HTTP transports. */
  #answer(request: Request): Response | Promise<Response> {
    const kite = this.#kites.get(kiteIdOf(request));
    if (kite !== undefined) return this.#sockjs.fetch(request, clientOf(request));
    return new Response(`${NO_SUCH_KITE}\n`, { status: 502 });
  }

  #acceptSession(session: Session, request: Request): void {
    const kite = this.#kites.get(kiteIdOf(request));
    if (kite === undefined || !this.#hasRoom(kite)) {
      session.close(UNREACHABLE.code, UNREACHABLE.reason);
    } else {
      void this.#open(kite, new SessionEnd(session));
    }
  }

  #hasRoom(kite: PrivateKite): boolean {
    return this.#tunnels.size < this.#limits.tunnels && kite.tunnels < this.#limits.tunnelsPerKite;
  }

  /** Opens a tunnel for a client, and asks the kite to dial back. */
  async #open(kite: PrivateKite, client: TunnelEnd): Promise<void> {
    const { dialBackTimeout, queuedBytes, messageBytes } = this.#limits;
    const bounds = { queuedBytes, mostQueued: queuedBytes + 2 * messageBytes };
    const tunnel = new Tunnel(kite.id, client, bounds, dialBackTimeout, () => {
      this.#tunnels.delete(tunnel.id);
      kite.tunnels--;
    });
    this.#tunnels.set(tunnel.id, tunnel);
    kite.tunnels++;
    try {
      const claims = { kiteId: kite.id, tunnelId: tunnel.id };
      const token = await this.#tokens!.sign(claims, dialBackTimeout);
      const origin = this.#server.origin.replace(/^http/, "ws");
      const session = `${100 + Math.floor(Math.random() * 900)}/${tunnel.id}`;
      const url = `${origin}/tunnel/${session}/websocket?token=${token}`;
      await kite.client.tellWith({ timeout: dialBackTimeout }, "kite.tunnel", { url });
    } catch (error) {
      this.kite.log.warning("The kite {id} did not open a tunnel: {reason}", {
        id: kite.id,
        reason: String(error),
      });
      tunnel.close(UNREACHABLE);
    }
  }
}

function kiteIdOf(request: Request): string {
  return new URL(request.url).searchParams.get("kiteID") ?? "";
}
