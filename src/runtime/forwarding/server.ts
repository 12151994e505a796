import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { KiteError } from "../../protocol/errors.ts";
import { WebSocketAcceptor } from "./accept.ts";
import { answer, answerSocket } from "./answer.ts";
import { forward } from "./forward.ts";
import { splice } from "./splice.ts";
import type { Decision, ForwardingOptions, RequestHead } from "./types.ts";
import { Upstreams } from "./upstream.ts";

/** Milliseconds until an idle client connection is closed. */
const KEEP_ALIVE = 5_000;
/** Maximum interval of checks for slow requests, milliseconds. */
const LONGEST_CHECK = 5_000;

/**
 * An HTTP server that forwards requests and streams both ways. It parses requests strictly (llhttp),
 * so that all servers interpret them in the same way, and limits the resources of each client.
 */
export class ForwardingServer {
  readonly #server: Server;
  readonly #options: ForwardingOptions;
  readonly #upstreams: Upstreams;
  readonly #acceptor: WebSocketAcceptor;
  /** Every TCP connection. */
  readonly #connections = new Set<Socket>();
  /** The number of running requests per connection. With TLS, these are not the TCP connections. */
  readonly #running = new Map<Duplex, number>();
  #isClosing = false;

  private constructor(server: Server, options: ForwardingOptions) {
    this.#server = server;
    this.#options = options;
    this.#upstreams = new Upstreams(options.ca);
    this.#acceptor = new WebSocketAcceptor(options.limits.webSocketBytes);
    server.maxConnections = options.limits.connections;
    server.keepAliveTimeout = KEEP_ALIVE;
    server.on("connection", (socket: Socket) => {
      this.#connections.add(socket);
      socket.once("close", () => this.#connections.delete(socket));
    });
    server.on(options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      this.#running.set(socket, 0);
      socket.once("close", () => this.#running.delete(socket));
    });
    server.on("request", (request, response) => void this.#answer(request, response));
    server.on("upgrade", (request, socket, early) => void this.#upgrade(request, socket, early));
    server.on("connect", (_request, socket) => answerSocket(socket, 405, "CONNECT is refused\n"));
    server.on("checkExpectation", (_request, response) => answer(response, 417, ""));
    server.on("clientError", (error: Error & { code?: string }, socket) => {
      answerSocket(socket, statusOf(error.code), "The request is broken or too slow\n");
    });
  }

  /**
   * Starts a server.
   *
   * @throws {KiteError} `configError` when the address and port cannot be listened on, or the
   * certificate is no good
   */
  static async listen(options: ForwardingOptions): Promise<ForwardingServer> {
    const { hostname, port, tls, limits } = options;
    const settings = {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.headersTimeout,
      requestTimeout: limits.requestTimeout,
      connectionsCheckingInterval: Math.min(LONGEST_CHECK, limits.headersTimeout / 2),
      noDelay: true,
    };
    try {
      const server = tls === undefined
        ? createServer(settings)
        : createTlsServer({ ...settings, ...tls, handshakeTimeout: limits.headersTimeout });
      const forwarding = new ForwardingServer(server, options);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, hostname, resolve);
      });
      server.on("error", options.onError);
      return forwarding;
    } catch (cause) {
      const code = (cause as { code?: unknown }).code;
      const reason = code === "EADDRINUSE"
        ? "it is in use"
        : tls === undefined || typeof code === "string" && code.startsWith("E")
        ? String((cause as Error).message)
        : "the certificate or its key is not valid";
      throw new KiteError(
        "configError",
        `Cannot listen on port ${port} of ${hostname}: ${reason}`,
        { cause },
      );
    }
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** The number of open client connections. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Stops listening and closes all connections, those with a running request after `deadline` ms. */
  async close(deadline: number): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const [socket, count] of this.#running) if (count === 0) socket.destroy();
    const timer = setTimeout(() => {
      for (const socket of [...this.#running.keys(), ...this.#connections]) socket.destroy();
    }, deadline);
    await closed;
    clearTimeout(timer);
    this.#upstreams.close();
  }

  /**
   * Counts an exchange on a connection.
   *
   * @returns a function to call when it is over
   */
  #begin(socket: Duplex): () => void {
    this.#running.set(socket, (this.#running.get(socket) ?? 0) + 1);
    return () => {
      const count = this.#running.get(socket);
      if (count === undefined) return;
      this.#running.set(socket, count - 1);
      if (this.#isClosing && count === 1) socket.destroy();
    };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.once("close", this.#begin(request.socket));
    const decision = await this.#decide(request, false);
    if (response.destroyed) return;
    if (decision.kind === "forward") {
      return forward(request, response, decision, this.#upstreams, this.#options);
    }
    if (decision.kind === "answer") answer(response, decision.status, decision.text);
    else answer(response, 426, "This path takes WebSockets only\n");
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, early: Uint8Array): Promise<void> {
    this.#begin(socket);
    socket.on("error", () => socket.destroy());
    if (request.method !== "GET" || request.headers.upgrade?.toLowerCase() !== "websocket") {
      return answerSocket(socket, 400, "The only upgrade accepted is to WebSocket\n");
    }
    const decision = await this.#decide(request, true);
    if (socket.destroyed) return;
    switch (decision.kind) {
      case "answer":
        return answerSocket(socket, decision.status, decision.text);
      case "forward":
        return splice(socket, early, decision, this.#upstreams, this.#options);
      case "accept":
        return this.#acceptor.accept(request, socket, early, decision.accept);
    }
  }

  async #decide(request: IncomingMessage, isWebSocket: boolean): Promise<Decision> {
    const head: RequestHead = {
      method: request.method ?? "GET",
      target: request.url ?? "",
      rawHeaders: request.rawHeaders,
      isWebSocket,
      remoteAddress: request.socket.remoteAddress ?? "",
      isSecure: this.#options.tls !== undefined,
    };
    try {
      return await this.#options.decide(head);
    } catch (error) {
      this.#options.onError(error);
      return { kind: "answer", status: 500, text: "Internal Server Error\n" };
    }
  }
}

function statusOf(code: string | undefined): number {
  if (code === "HPE_HEADER_OVERFLOW") return 431;
  return code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
}
