import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { formatAddress } from "../byte_stream.ts";
import { cannotListen } from "../cannot_listen.ts";
import { builtinModule } from "../platform.ts";
import {
  checkResponse,
  type ListenOptions,
  type RunningServer,
  type ServeHandler,
  type TakenOver,
} from "../serving.ts";
import { Timer } from "../timer.ts";
import { SocketStream } from "../socket_stream.ts";
import { canBeTaken, refusalOf, requestOf, writeResponse } from "./messages.ts";
import { NodePeer } from "./peer.ts";

const DEFAULT_DEADLINE = 5_000;
/** How often slow requests are looked for, at most, milliseconds. */
const LONGEST_CHECK = 5_000;
/**
 * Requests that may wait on one connection. Node parses all that arrive in 64 KiB, and reads on while
 * the body of a former one is read.
 */
const MOST_WAITING = 4_096;

/**
 * Serves with `node:http`, which closes connections that are slow to send a request's head. What
 * upgrades to a WebSocket no longer counts as a connection.
 */
export class NodeServer implements RunningServer {
  readonly hostname: string;
  readonly finished: Promise<void>;
  readonly #handler: ServeHandler;
  readonly #options: ListenOptions;
  readonly #server: Server;
  /** Every TCP connection, WebSockets included. */
  readonly #sockets = new Set<Socket>();
  /** The requests that run on each HTTP connection; connections without one are in order of time. */
  readonly #running = new Map<Duplex, number>();
  /**
   * The connections without TLS whose handshake may follow, by the peer's address. Node does not tell
   * on which of them a handshake was done.
   */
  readonly #plain = new Map<string, Socket>();
  /** The requests that have arrived before the former one was answered. */
  readonly #waiting = new Map<Duplex, (() => void)[]>();
  #closing: Promise<void> | undefined;

  private constructor(server: Server, handler: ServeHandler, options: ListenOptions) {
    this.hostname = options.hostname;
    this.#server = server;
    this.#handler = handler;
    this.#options = options;
    this.finished = new Promise((resolve) => server.once("close", resolve));
    server.keepAliveTimeout = options.idleTimeout;
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
    server.on("connection", this.#connected);
    server.on("secureConnection", this.#secured);
    server.on("request", (request, response) => void this.#answer(request, response));
    server.on("upgrade", (request, socket, head) => {
      void this.#upgrade(request, socket as Socket, head as Uint8Array<ArrayBuffer>);
    });
  }

  /**
   * Listens.
   *
   * @throws {KiteError} `configError`, as {@linkcode serve} does
   */
  static async listen(handler: ServeHandler, options: ListenOptions): Promise<NodeServer> {
    const { hostname, port, tls, idleTimeout } = options;
    const settings = {
      headersTimeout: idleTimeout,
      connectionsCheckingInterval: Math.min(LONGEST_CHECK, Math.max(1, idleTimeout / 2)),
      noDelay: true,
    };
    try {
      const server = tls === undefined
        ? builtinModule("node:http").createServer(settings)
        : builtinModule("node:https").createServer({
          ...settings,
          ...tls,
          handshakeTimeout: idleTimeout,
        });
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, hostname, resolve);
      });
      server.removeAllListeners("error");
      server.on("error", options.onError);
      return new NodeServer(server, handler, options);
    } catch (cause) {
      const { code } = cause as { code?: unknown };
      throw cannotListen(typeof code === "string" ? code : "", cause, options);
    }
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(deadline: number = DEFAULT_DEADLINE): Promise<void> {
    return this.#closing ??= this.#close(deadline);
  }

  async abort(): Promise<void> {
    this.#closing ??= this.finished;
    this.#server.close();
    this.#destroyAll();
    await this.finished;
  }

  async #close(deadline: number): Promise<void> {
    this.#server.close();
    for (const [socket, count] of this.#running) if (count === 0) endSocket(socket);
    const timer = new Timer(() => this.#destroyAll(), deadline);
    await this.finished;
    timer.clear();
  }

  #destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  readonly #connected = (socket: Socket): void => {
    if (this.#running.size >= this.#options.connections) this.#makeRoom();
    if (this.#running.size >= this.#options.connections) return void socket.destroy();
    this.#add(socket);
    if (this.#options.tls === undefined) return;
    const address = addressOf(socket);
    this.#plain.set(address, socket);
    socket.once("close", () => this.#plain.delete(address));
  };

  readonly #secured = (socket: Socket): void => {
    const plain = this.#plain.get(addressOf(socket));
    if (plain !== undefined) this.#running.delete(plain);
    this.#add(socket);
  };

  #add(socket: Socket): void {
    this.#running.set(socket, 0);
    socket.once("close", () => {
      this.#running.delete(socket);
      this.#waiting.delete(socket);
    });
  }

  /** Closes the connection that has been without a request for the longest time. */
  #makeRoom(): void {
    for (const [socket, count] of this.#running) {
      if (count > 0) continue;
      this.#running.delete(socket);
      return void socket.destroy();
    }
  }

  /** Returns the number of requests that run or wait on the connection. */
  #begin(socket: Duplex): number {
    const count = (this.#running.get(socket) ?? 0) + 1;
    this.#running.set(socket, count);
    return count;
  }

  /** Waits until the former requests of a connection are answered, without reading further ones. */
  #turn(socket: Duplex): Promise<void> {
    const waiting = this.#waiting.get(socket) ?? [];
    this.#waiting.set(socket, waiting);
    socket.pause();
    if (waiting.length >= MOST_WAITING) socket.destroy();
    return new Promise((resolve) => void waiting.push(resolve));
  }

  #wakeNext(socket: Duplex): void {
    const waiting = this.#waiting.get(socket);
    const next = waiting?.shift();
    if (waiting?.length === 0) {
      this.#waiting.delete(socket);
      socket.resume();
    } else if (waiting !== undefined) {
      // Node resumes in the ticks after each answer, which run before this.
      queueMicrotask(() => void (this.#waiting.has(socket) && socket.pause()));
    }
    // Not at once, since other connections need their turn.
    if (next !== undefined) builtinModule("node:timers").setImmediate(next);
  }

  #end(socket: Duplex): void {
    const count = this.#running.get(socket);
    if (count === undefined) return;
    this.#wakeNext(socket);
    this.#running.delete(socket); // it goes to the end of the line
    this.#running.set(socket, count - 1);
    if (this.#closing !== undefined && count === 1) endSocket(socket);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    response.once("close", () => this.#end(socket));
    if (this.#begin(socket) > 1) await this.#turn(socket);
    const peer = new NodePeer(request, response);
    await writeResponse(await this.#handle(request, peer, true), response);
  }

  async #upgrade(
    request: IncomingMessage,
    socket: Socket,
    early: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    socket.on("error", () => socket.destroy());
    // The answer to a former request would arrive among the frames.
    if (this.#begin(socket) > 1) return void socket.destroy();
    const { ServerResponse } = builtinModule("node:http");
    const response = new ServerResponse(request);
    const takeOver = (): TakenOver => {
      this.#running.delete(socket);
      return { stream: new SocketStream(socket, NOBODY), early };
    };
    const peer = new NodePeer(request, response, canBeTaken(request) ? takeOver : undefined);
    const answer = await this.#handle(request, peer, false);
    if (peer.isTakenOver || socket.destroyed) return;
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.once("finish", () => endSocket(socket));
    await writeResponse(answer, response);
  }

  async #handle(request: IncomingMessage, peer: NodePeer, hasBody: boolean): Promise<Response> {
    try {
      const reason = refusalOf(request);
      if (reason !== undefined) return refused(reason);
      const isSecure = this.#options.tls !== undefined;
      const web = requestOf(request, isSecure, hasBody);
      if (web === undefined) return refused([400, "unsupported request target"]);
      return checkResponse(await this.#handler(web, peer));
    } catch (error) {
      this.#options.onError(error);
      return new Response("Internal Server Error\n", { status: 500 });
    }
  }
}

function addressOf({ remoteAddress = "", remotePort = 0 }: Socket): string {
  return formatAddress(remoteAddress, remotePort);
}

const NOBODY = { onData: () => {}, onEnd: () => {} };

/** Ends a connection once everything is written. */
function endSocket(socket: Duplex): void {
  (socket as Socket).destroySoon();
}

/** Refuses a request, and what follows on its connection. */
function refused([status, reason]: readonly [status: number, reason: string]): Response {
  return new Response(`${reason}\n`, { status, headers: { connection: "close" } });
}
