import type { HttpConnection } from "./connection_server.ts";
import type { RequestPeer, ServeHandler } from "./serving.ts";

/** Options of a server that closes idle connections. */
export interface GuardOptions {
  readonly handler: ServeHandler;
  readonly onError: (error: unknown) => void;
  /** Serves HTTP on an accepted connection. */
  readonly serveHttp: (connection: Deno.Conn) => HttpConnection;
  /** Milliseconds that a connection may stay open without a complete request. */
  readonly idleTimeout: number;
  /** The maximum number of open connections, not counting WebSockets. */
  readonly connections: number;
}

/** The events of a {@linkcode GuardedConnection}. */
export interface GuardedConnectionEvents {
  /** No request is running. */
  idle(): void;
  /** A request has arrived. */
  busy(): void;
  /** The connection has ended or has become a WebSocket. */
  ended(): void;
}

/** One accepted HTTP connection. */
export class GuardedConnection {
  /** `performance.now()` when the connection last became idle. */
  idleSince: number = performance.now();
  readonly #accepted: Deno.Conn | Deno.TlsConn;
  /** Undefined until the TLS handshake is done. */
  #http: HttpConnection | undefined;
  readonly #options: GuardOptions;
  readonly #events: GuardedConnectionEvents;
  readonly #running = new Set<GuardedPeer>();
  #isClosed = false;

  constructor(
    accepted: Deno.Conn | Deno.TlsConn,
    options: GuardOptions,
    events: GuardedConnectionEvents,
  ) {
    this.#accepted = accepted;
    this.#options = options;
    this.#events = events;
  }

  /** Starts to read requests. */
  start(): void {
    // Otherwise an answer that leaves in two pieces waits 40 ms for the peer's acknowledgement.
    if ("setNoDelay" in this.#accepted) (this.#accepted as Deno.TcpConn).setNoDelay(true);
    void this.#read();
  }

  /** Closes the connection and cancels its running requests. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      if (this.#http === undefined) this.#accepted.close();
      else this.#http.close();
    } catch {
      // The peer has closed it at the same time.
    }
    this.#events.ended();
    for (const peer of this.#running) peer.gone();
    this.#running.clear();
  }

  async #read(): Promise<void> {
    try {
      // During the TLS handshake, Deno 2.9 does not close the socket, so the connection counts as busy.
      if ("handshake" in this.#accepted) await this.#accepted.handshake();
      if (this.#isClosed) return;
      this.#becomeIdle();
      const { remoteAddr } = this.#accepted;
      const http = this.#http = this.#options.serveHttp(this.#accepted);
      for (;;) {
        const event = await http.nextRequest();
        if (event === null || this.#isClosed) break;
        const peer = new GuardedPeer(remoteAddr);
        this.#running.add(peer);
        this.#events.busy();
        void this.#answer(event, peer);
      }
    } catch {
      // Not HTTP, or the connection was lost: there is no one to answer.
    }
    this.close();
  }

  async #answer(
    event: { request: Request; respondWith(response: Response): Promise<void> },
    peer: GuardedPeer,
  ): Promise<void> {
    const response = await this.#handle(event.request, peer);
    try {
      await event.respondWith(response);
    } catch {
      // The peer has left or the response stream failed; `close` notifies the listeners.
    }
    if (this.#running.delete(peer) && this.#running.size === 0 && !this.#isClosed) {
      this.#becomeIdle();
    }
  }

  #becomeIdle(): void {
    this.idleSince = performance.now();
    this.#events.idle();
  }

  async #handle(request: Request, peer: GuardedPeer): Promise<Response> {
    try {
      return await this.#options.handler(request, peer);
    } catch (error) {
      this.#options.onError(error);
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }
}

class GuardedPeer implements RequestPeer {
  readonly #address: Deno.Addr;
  #gone: (() => void) | undefined;

  constructor(address: Deno.Addr) {
    this.#address = address;
  }

  // Formatted on demand, since few requests use it.
  get remoteAddress(): string {
    if (!("hostname" in this.#address)) return "";
    const { hostname, port } = this.#address;
    return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
  }

  onGone(listener: () => void): void {
    this.#gone = listener;
  }

  gone(): void {
    this.#gone?.();
  }
}
