import { KiteError, messageOf } from "../../protocol/errors.ts";
import { cannotListen } from "../cannot_listen.ts";
import type { HttpOptions, ServerStream } from "../http1/connection.ts";
import { isLostConnection } from "../lost_connection.ts";
import type { ListenOptions, RunningServer, ServeHandler } from "../serving.ts";
import { Timer } from "../timer.ts";
import { AcceptedConnection, STALLS } from "./accepted.ts";
import { ConnStream } from "./conn_stream.ts";
import { securing } from "./secure.ts";

/** Milliseconds until `accept` is retried after a failure, or when the server is full. */
const ACCEPT_RETRY = 100;

/** Milliseconds between two reports of a failed `accept`. */
const REPORT_INTERVAL = 60_000;

/** The number of connections to close when `accept` fails, to free file descriptors. */
const SHED = 16;

/** Milliseconds for the last response to be sent before an idle connection is closed. */
const FLUSH_TIME = 100;

const DEFAULT_DEADLINE = 5_000;

/**
 * Accepts connections and closes idle ones, so that clients cannot block connections, or stop the
 * server by using up the file descriptors. `Deno.serve` does neither, and does not limit the memory of
 * WebSocket messages that arrive in fragments.
 */
export class DenoServer implements RunningServer {
  readonly hostname: string;
  readonly port: number;
  readonly finished: Promise<void>;
  readonly #listener: Deno.TcpListener;
  readonly #options: ListenOptions;
  readonly #http: HttpOptions;
  readonly #secure: ((connection: Deno.TcpConn) => ServerStream) | undefined;
  readonly #connections = new Set<AcceptedConnection>();
  /** The connections without a request, least recently used first. */
  readonly #idle = new Set<AcceptedConnection>();
  readonly #ended = Promise.withResolvers<void>();
  #closing: Promise<void> | undefined;
  #isClosing = false;
  /** While an `accept` is pending, the port is still in use. */
  #isAccepting = true;
  /** When a failed `accept` was last reported. */
  #reportedAt = -Infinity;
  #idleTimeout: number;
  #sweeper: Timer | undefined;
  #endPause: (() => void) | undefined;

  /**
   * Serves on a listener.
   *
   * @param secure puts TLS over a connection; `undefined` for plain HTTP
   */
  constructor(
    listener: Deno.TcpListener,
    secure: ((connection: Deno.TcpConn) => ServerStream) | undefined,
    handler: ServeHandler,
    options: ListenOptions,
  ) {
    const { onError, tls } = options;
    this.#secure = secure;
    this.#http = {
      handler,
      onError,
      isSecure: tls !== undefined,
      stallTimeout: STALLS * options.idleTimeout,
    };
    this.hostname = listener.addr.hostname;
    this.port = listener.addr.port;
    this.#listener = listener;
    this.#options = options;
    this.#idleTimeout = options.idleTimeout;
    this.finished = this.#ended.promise;
    void this.#accept().then(() => {
      this.#isAccepting = false;
      this.#settle();
    });
  }

  /**
   * Listens.
   *
   * @throws {KiteError} `configError`, as `serve` does
   */
  static async listen(
    deno: typeof Deno,
    handler: ServeHandler,
    options: ListenOptions,
  ): Promise<DenoServer> {
    const { hostname, port, tls } = options;
    try {
      const secure = tls === undefined ? undefined : await securing(tls);
      return new DenoServer(deno.listen({ hostname, port }), secure, handler, options);
    } catch (cause) {
      throw cannotListen(codeOf(cause), cause, options);
    }
  }

  close(deadline: number = DEFAULT_DEADLINE): Promise<void> {
    return this.#closing ??= this.#close(deadline);
  }

  async abort(): Promise<void> {
    this.#stopAccepting();
    this.#closeAll();
    await this.finished;
  }

  async #close(deadline: number): Promise<void> {
    this.#stopAccepting();
    this.#idleTimeout = FLUSH_TIME;
    this.#sweeper?.clear();
    this.#sweep();
    this.#settle();
    const timer = new Timer(() => this.#closeAll(), deadline);
    try {
      await this.finished;
    } finally {
      timer.clear();
    }
  }

  #stopAccepting(): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#endPause?.();
    this.#listener.close();
  }

  #closeAll(): void {
    for (const connection of [...this.#connections]) connection.close();
    this.#settle();
  }

  /** Resolves `finished` once the server neither listens nor has connections. */
  #settle(): void {
    if (this.#isAccepting || this.#connections.size > 0) return;
    this.#sweeper?.clear();
    this.#ended.resolve();
  }

  async #accept(): Promise<void> {
    while (!this.#isClosing) {
      // New connections wait in the system's backlog, where they need no file descriptor.
      if (this.#isFull && this.#idle.size === 0) {
        await this.#pause();
        continue;
      }
      let connection: Deno.TcpConn;
      try {
        connection = await this.#listener.accept();
      } catch (cause) {
        if (this.#isClosing) return;
        if (isLostConnection(cause)) continue;
        this.#reportFailure(cause);
        this.#shed(SHED);
        await this.#pause();
        continue;
      }
      this.#serve(connection);
    }
  }

  #serve(accepted: Deno.TcpConn): void {
    if (this.#isFull) this.#shed(1);
    const plain = new ConnStream(accepted, this.#options.onError);
    const stream = this.#secure?.(accepted) ?? plain;
    const connection: AcceptedConnection = new AcceptedConnection(stream, this.#http, {
      idle: () => this.#isIdle(connection),
      busy: () => void this.#idle.delete(connection),
      ended: () => this.#hasEnded(connection),
    });
    this.#connections.add(connection);
    this.#isIdle(connection);
    if (stream === plain) plain.start();
  }

  get #isFull(): boolean {
    return this.#connections.size >= this.#options.connections;
  }

  #isIdle(connection: AcceptedConnection): void {
    this.#idle.add(connection);
    if (this.#sweeper === undefined) this.#armSweeper(this.#idleTimeout);
  }

  #hasEnded(connection: AcceptedConnection): void {
    this.#connections.delete(connection);
    this.#idle.delete(connection);
    this.#settle();
  }

  /**
   * Closes up to `count` connections, those that have been idle longest first.
   *
   * @returns the number of closed connections
   */
  #shed(count: number): number {
    let closed = 0;
    for (const connection of [...this.#idle].slice(0, count)) {
      connection.close();
      closed++;
    }
    return closed;
  }

  #armSweeper(delay: number): void {
    this.#sweeper = new Timer(this.#sweep, delay);
  }

  readonly #sweep = (): void => {
    this.#sweeper = undefined;
    const now = performance.now();
    for (const connection of this.#idle) {
      const left = connection.idleSince + this.#idleTimeout - now;
      if (left > 0) return this.#armSweeper(left);
      if (connection.isReceiving()) {
        // The connections are in the order in which they became idle.
        connection.idleSince = now;
        this.#idle.delete(connection);
        this.#idle.add(connection);
      } else {
        connection.close();
      }
    }
  };

  #reportFailure(cause: unknown): void {
    const now = performance.now();
    if (now - this.#reportedAt < REPORT_INTERVAL) return;
    this.#reportedAt = now;
    const why = messageOf(cause);
    const message = `Cannot accept connections: ${why}; closing idle ones and trying again`;
    this.#options.onError(new KiteError("limitError", message, { cause }));
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = new Timer(resolve, ACCEPT_RETRY);
    this.#endPause = resolve;
    await promise;
    timer.clear();
  }
}

/** Translates the names of Deno's errors to the codes of the system. */
function codeOf(cause: unknown): string {
  const name = cause instanceof Error ? cause.name : "";
  switch (name) {
    case "AddrInUse":
      return "EADDRINUSE";
    case "AddrNotAvailable":
      return "EADDRNOTAVAIL";
    case "PermissionDenied":
      return "EACCES";
    default:
      return name;
  }
}
