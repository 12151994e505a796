import { KiteError } from "../../protocol/errors.ts";
import { cannotListen } from "../cannot_listen.ts";
import type { ListenOptions, RequestPeer, RunningServer, ServeHandler } from "../serving.ts";
import { Timer } from "../timer.ts";
import type { Upgrade } from "../upgrade.ts";
import { BunSocket } from "./socket.ts";
import type { BunHttpServer, BunNamespace } from "./types.ts";

const DEFAULT_DEADLINE = 5_000;
/** Seconds of silence after which a peer is pinged, and dropped if it does not answer. */
const WEB_SOCKET_IDLE_TIMEOUT = 30;
/** The longest timeout that `Bun.serve` accepts, seconds. */
const LONGEST_IDLE_TIMEOUT = 255;
/** Sessions limit what they send; Bun would drop messages without a word. */
const BACKPRESSURE_LIMIT = 1_073_741_824;

/**
 * Serves with `Bun.serve`. It has no events for connections, so the limit `connections` counts running
 * requests: connections without one do not count.
 */
export class BunServer implements RunningServer {
  readonly hostname: string;
  readonly port: number;
  readonly finished: Promise<void>;
  readonly #server: BunHttpServer;
  readonly #ended = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;

  /** @throws {KiteError} `configError`, as {@linkcode serve} does */
  constructor(bun: BunNamespace, handler: ServeHandler, options: ListenOptions) {
    const { hostname, port, tls, idleTimeout, connections, webSocketBytes, onError } = options;
    const fail = (error: unknown): Response => {
      onError(error);
      return new Response("Internal Server Error\n", { status: 500 });
    };
    try {
      this.#server = bun.serve({
        hostname,
        port,
        ...(tls === undefined ? {} : { tls }),
        idleTimeout: Math.min(LONGEST_IDLE_TIMEOUT, Math.ceil(idleTimeout / 1_000)),
        fetch: async (request, server) => {
          if (server.pendingRequests > connections) return tooMany();
          // Otherwise an answer that takes long, such as a poll, would be cut off. The timeout then
          // stays with the connection, so it must not be 0.
          server.timeout(request, LONGEST_IDLE_TIMEOUT);
          const peer = new BunPeer(request, server);
          const response = await handler(request, peer);
          return peer.isUpgraded ? undefined : response;
        },
        error: fail,
        websocket: {
          idleTimeout: WEB_SOCKET_IDLE_TIMEOUT,
          sendPings: true,
          maxPayloadLength: webSocketBytes,
          backpressureLimit: BACKPRESSURE_LIMIT,
          perMessageDeflate: false,
          open: (socket) => socket.data.opened(socket),
          message: (socket, data) => socket.data.received(data),
          close: (socket, code, reason) => socket.data.closed(code, reason),
        },
      });
    } catch (cause) {
      throw cannotListen(String((cause as { code?: unknown }).code ?? ""), cause, options);
    }
    this.hostname = hostname;
    this.port = this.#server.port;
    this.finished = this.#ended.promise;
  }

  close(deadline: number = DEFAULT_DEADLINE): Promise<void> {
    return this.#closing ??= this.#close(deadline);
  }

  async abort(): Promise<void> {
    void this.#server.stop(true);
    this.#ended.resolve();
    await this.finished;
  }

  async #close(deadline: number): Promise<void> {
    const timer = new Timer(() => void this.abort(), deadline);
    void this.#server.stop(false).then(this.#ended.resolve, this.#ended.reject);
    await this.finished.finally(() => timer.clear());
  }
}

class BunPeer implements RequestPeer {
  readonly #request: Request;
  readonly #server: BunHttpServer;
  #isUpgraded = false;

  constructor(request: Request, server: BunHttpServer) {
    this.#request = request;
    this.#server = server;
  }

  /** True once the request has become a WebSocket. */
  get isUpgraded(): boolean {
    return this.#isUpgraded;
  }

  get remoteAddress(): string {
    const { address, port } = this.#server.requestIP(this.#request) ?? { address: "", port: 0 };
    return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
  }

  onGone(listener: () => void): void {
    this.#request.signal.addEventListener("abort", listener, { once: true });
  }

  upgrade(): Upgrade {
    const socket = new BunSocket();
    if (!this.#server.upgrade(this.#request, { data: socket })) {
      throw new KiteError("protocolError", "not a WebSocket handshake");
    }
    this.#isUpgraded = true;
    return { socket, response: new Response(null) };
  }
}

function tooMany(): Response {
  const headers = { connection: "close", "retry-after": "1" };
  return new Response("too many requests are running (limit: connections)\n", {
    status: 503,
    headers,
  });
}
