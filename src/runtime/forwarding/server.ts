import { KiteError } from "../../protocol/errors.ts";
import { Timer } from "../timer.ts";
import { ClientConnection, type Hub } from "./connection.ts";
import { listenForStreams, type StreamListener } from "./listen.ts";
import type { Stream } from "./stream.ts";
import type { ForwardingLimits, ForwardingOptions } from "./types.ts";
import { Upstreams } from "./upstream.ts";

/** The longest and the shortest interval between two checks of all time limits, milliseconds. */
const LONGEST_INTERVAL = 1_000;
const SHORTEST_INTERVAL = 10;

/** Milliseconds for connections to upstreams to open after the deadline of `close`. */
const ABORT_AFTER = 1_000;

/** The number of idle connections to close when there are no file descriptors. */
const SHED = 16;

/**
 * An HTTP server that forwards requests and streams both ways. It parses requests strictly, so that
 * all servers interpret them in the same way, and limits the resources of each client.
 *
 * All connections share one timer: a timer for each request would cost more than the rest of its work.
 */
export class ForwardingServer implements Hub {
  readonly options: ForwardingOptions;
  readonly upstreams: Upstreams;
  readonly #connections = new Set<ClientConnection>();
  /** The connections without a request, the oldest first. */
  readonly #idle = new Set<ClientConnection>();
  readonly #sweeper: ReturnType<typeof setInterval>;
  #listener: StreamListener | undefined;
  #isClosing = false;
  #onEmpty: () => void = () => {};

  private constructor(options: ForwardingOptions) {
    this.options = options;
    this.upstreams = new Upstreams(options.ca, options.limits.connectTimeout);
    this.#sweeper = setInterval(() => this.#sweep(), intervalFor(options.limits));
  }

  /**
   * Starts a server.
   *
   * @throws {KiteError} `configError` when the address and port cannot be listened on, or the
   * certificate is no good
   */
  static async listen(options: ForwardingOptions): Promise<ForwardingServer> {
    const { hostname, port, tls, onError } = options;
    const server = new ForwardingServer(options);
    try {
      server.#listener = await listenForStreams({
        hostname,
        port,
        ...(tls === undefined ? {} : { tls }),
        onStream: (stream) => server.#serve(stream),
        onFull: () => server.#shed(SHED),
        onError,
      });
      return server;
    } catch (cause) {
      clearInterval(server.#sweeper);
      const message = `Cannot listen on port ${port} of ${hostname}: ${reasonOf(cause, options)}`;
      throw new KiteError("configError", message, { cause });
    }
  }

  /** The port it listens on. */
  get port(): number {
    return this.#listener?.port ?? 0;
  }

  /** The number of open client connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** True once `close` was called. */
  get isClosing(): boolean {
    return this.#isClosing;
  }

  /** Stops listening and closes all connections, those with a running request after `deadline` ms. */
  async close(deadline: number): Promise<void> {
    this.#isClosing = true;
    await this.#listener?.close();
    this.#shed(Infinity);
    let aborting: Timer | undefined;
    const timer = new Timer(() => {
      for (const connection of [...this.#connections]) connection.close();
      aborting = new Timer(() => this.upstreams.abort(), ABORT_AFTER);
    }, deadline);
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => this.#onEmpty = resolve);
    }
    timer.clear();
    aborting?.clear();
    clearInterval(this.#sweeper);
    this.upstreams.close();
  }

  idleChanged(connection: ClientConnection): void {
    this.#idle.delete(connection);
    if (connection.isIdle) this.#idle.add(connection);
  }

  #serve(stream: Stream): void {
    const isFull = this.#connections.size >= this.options.limits.connections;
    if (this.#isClosing || (isFull && this.#shed(1) === 0)) return stream.close();
    const connection = new ClientConnection(stream, this);
    this.#connections.add(connection);
    this.#idle.add(connection);
    void connection.serve().then(() => {
      this.#connections.delete(connection);
      this.#idle.delete(connection);
      if (this.#connections.size === 0) this.#onEmpty();
    });
  }

  /**
   * Closes up to `count` idle connections, the oldest first.
   *
   * @returns the number of closed connections
   */
  #shed(count: number): number {
    let closed = 0;
    for (const connection of this.#idle) {
      if (closed === count) break;
      closed++;
      this.#idle.delete(connection);
      connection.close();
    }
    return closed;
  }

  #sweep(): void {
    const now = performance.now();
    this.upstreams.sweep(now);
    for (const connection of [...this.#connections]) connection.sweep(now);
  }
}

/** The limits are exceeded by at most a quarter, or a second. */
function intervalFor(limits: ForwardingLimits): number {
  const { headersTimeout, requestTimeout, idleTimeout, connectTimeout } = limits;
  const least = Math.min(headersTimeout, requestTimeout, idleTimeout, connectTimeout);
  return Math.max(SHORTEST_INTERVAL, Math.min(LONGEST_INTERVAL, least / 4));
}

/** The reason of an error without parts of the certificate or key, which TLS errors may contain. */
function reasonOf(cause: unknown, { tls }: ForwardingOptions): string {
  const { code, name, message } = cause as { code?: unknown; name?: string; message?: string };
  if (code === "EADDRINUSE" || name === "AddrInUse") return "it is in use";
  const isOfSystem = typeof code === "string" && /^E[A-Z]+$/.test(code);
  return tls === undefined || isOfSystem
    ? String(message)
    : "the certificate or its key is not valid";
}
