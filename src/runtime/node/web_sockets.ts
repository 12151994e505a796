import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { KiteError } from "../../protocol/errors.ts";
import type { ServerSocket, Upgrade } from "../upgrade.ts";

/** The part of a socket of npm `ws` that {@linkcode ServerSocket} lacks. */
interface WsSocket extends ServerSocket {
  emit(event: "open"): void;
  on(event: "close", listener: () => void): void;
  pause(): void;
  resume(): void;
  ping(): void;
  terminate(): void;
}

/** One socket and what was heard of it at the last look. */
interface Watched {
  readonly socket: WsSocket;
  readonly connection: Socket;
  bytesRead: number;
  wasPinged: boolean;
}

/** Milliseconds of silence after which a peer is pinged, and dropped if it does not answer. */
const IDLE_TIMEOUT = 30_000;

/** Upgrades requests of a `node:http` server, and drops peers that are silent for too long. */
export class WebSockets {
  readonly #server: {
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      head: Uint8Array,
      done: (socket: WsSocket) => void,
    ): void;
  };
  readonly #watched = new Set<Watched>();
  #sweeper: ReturnType<typeof setInterval> | undefined;

  /** @param maxPayload bytes of one message; a longer one closes its socket with 1009 */
  constructor(maxPayload: number) {
    this.#server = new WebSocketServer({
      noServer: true,
      perMessageDeflate: false,
      clientTracking: false,
      maxPayload,
      handleProtocols: () => false,
    });
  }

  /**
   * Answers the handshake.
   *
   * @param head what the client sent after its handshake
   * @throws {KiteError} `protocolError` when it is none; the client is answered 400
   */
  upgrade(request: IncomingMessage, connection: Duplex, head: Uint8Array): Upgrade {
    let accepted: WsSocket | undefined;
    this.#server.handleUpgrade(request, connection, head, (socket) => accepted = socket);
    const socket = accepted;
    if (socket === undefined) throw new KiteError("protocolError", "not a WebSocket handshake");
    this.#watch(socket, connection as Socket);
    // Nobody listens yet: messages wait until the listener has been told that the socket is open.
    socket.pause();
    queueMicrotask(() => {
      socket.emit("open");
      socket.resume();
    });
    return { socket, response: new Response(null) };
  }

  #watch(socket: WsSocket, connection: Socket): void {
    const watched = { socket, connection, bytesRead: 0, wasPinged: false };
    this.#watched.add(watched);
    this.#sweeper ??= setInterval(this.#sweep, IDLE_TIMEOUT);
    socket.on("close", () => {
      this.#watched.delete(watched);
      if (this.#watched.size > 0) return;
      clearInterval(this.#sweeper);
      this.#sweeper = undefined;
    });
  }

  readonly #sweep = (): void => {
    for (const watched of this.#watched) {
      const { socket, connection, bytesRead, wasPinged } = watched;
      const isSilent = connection.bytesRead === bytesRead;
      if (isSilent && wasPinged) {
        socket.terminate();
        continue;
      }
      watched.bytesRead = connection.bytesRead;
      watched.wasPinged = isSilent;
      if (isSilent && socket.readyState === WebSocket.OPEN) socket.ping();
    }
  };
}
