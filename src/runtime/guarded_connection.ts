import type { HttpConnection } from "./connection_server.ts";
import type { RequestPeer, ServeHandler } from "./serving.ts";

/** How a server accepts connections and serves them. */
export interface GuardOptions {
  readonly handler: ServeHandler;
  readonly onError: (error: unknown) => void;
  /** Speaks HTTP on an accepted connection. */
  readonly serveHttp: (connection: Deno.Conn) => HttpConnection;
  /** Milliseconds that a connection may stay open without a complete request. */
  readonly idleTimeout: number;
  /** Connections that are open at once, without those that have become WebSockets. */
  readonly connections: number;
}

/** What a connection tells its server. */
export interface GuardedConnectionEvents {
  /** No request is running. */
  idle(): void;
  /** A request has come in. */
  busy(): void;
  /** The connection has ended, or has become a WebSocket. */
  ended(): void;
}

/** One accepted connection that speaks HTTP. */
export class GuardedConnection {
  /** `performance.now()` when the connection was last left without a request. */
  idleSince = performance.now();
  readonly #accepted: Deno.Conn | Deno.TlsConn;
  /** There once TLS has been agreed on. */
  #http: HttpConnection | undefined;
  readonly #options: GuardOptions;
  readonly #events: GuardedConnectionEvents;
  readonly #running = new Set<Peer>();
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

  /** Begins to read requests. */
  start(): void {
    // Otherwise an answer that leaves in two pieces waits 40 ms for the peer's acknowledgement.
    if ("setNoDelay" in this.#accepted) (this.#accepted as Deno.TcpConn).setNoDelay(true);
    void this.#read();
  }

  /** Closes the connection, and gives up what runs on it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      if (this.#http === undefined) this.#accepted.close();
      else this.#http.close();
    } catch {
      // It was closed by the peer in the same moment.
    }
    this.#events.ended();
    for (const peer of this.#running) peer.gone();
    this.#running.clear();
  }

  async #read(): Promise<void> {
    try {
      // Until TLS is agreed on, Deno 2.9 keeps the socket open whoever closes it: the connection counts
      // as busy so long.
      if ("handshake" in this.#accepted) await this.#accepted.handshake();
      if (this.#isClosed) return;
      this.#becomeIdle();
      const { remoteAddr } = this.#accepted;
      const http = this.#http = this.#options.serveHttp(this.#accepted);
      for (;;) {
        const event = await http.nextRequest();
        if (event === null || this.#isClosed) break;
        const peer = new Peer(remoteAddr);
        this.#running.add(peer);
        this.#events.busy();
        void this.#answer(event, peer);
      }
    } catch {
      // Not HTTP, or broken off: nobody is left to be told.
    }
    this.close();
  }

  async #answer(
    event: { request: Request; respondWith(response: Response): Promise<void> },
    peer: Peer,
  ): Promise<void> {
    const response = await this.#handle(event.request, peer);
    try {
      await event.respondWith(response);
    } catch {
      // The peer has gone, or the stream of the response failed: `close` tells who listens.
    }
    if (this.#running.delete(peer) && this.#running.size === 0 && !this.#isClosed) {
      this.#becomeIdle();
    }
  }

  #becomeIdle(): void {
    this.idleSince = performance.now();
    this.#events.idle();
  }

  async #handle(request: Request, peer: Peer): Promise<Response> {
    try {
      return await this.#options.handler(request, peer);
    } catch (error) {
      this.#options.onError(error);
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }
}

class Peer implements RequestPeer {
  readonly #address: Deno.Addr;
  #gone: (() => void) | undefined;

  constructor(address: Deno.Addr) {
    this.#address = address;
  }

  // Put together only for those who ask.
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
