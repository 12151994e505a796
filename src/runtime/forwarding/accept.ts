import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Request } from "./head.ts";
import type { AcceptedSocket, AcceptedSocketHandler } from "./types.ts";

/** The used part of a socket of npm `ws`. */
interface WsSocket {
  readonly bufferedAmount: number;
  readonly readyState: number;
  send(text: string, sent: () => void): void;
  pause(): void;
  resume(): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
  on(event: "message", listener: (data: Uint8Array) => void): void;
  on(event: "pong" | "close" | "error", listener: () => void): void;
}

const OPEN = 1;

/** Accepts WebSockets. */
export class WebSocketAcceptor {
  readonly #server: {
    handleUpgrade(
      request: IncomingMessage,
      socket: Duplex,
      early: Uint8Array,
      done: (socket: WsSocket) => void,
    ): void;
  };

  /** @param maxPayload maximum bytes of a message; a longer one closes its socket with 1009 */
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
   * Answers the handshake and passes the open socket to `accept`. Answers 400 to a bad handshake.
   *
   * @returns after the connection has closed
   */
  accept(
    request: Request,
    socket: Duplex,
    accept: (socket: AcceptedSocket) => AcceptedSocketHandler,
  ): Promise<void> {
    const closed = new Promise<void>((resolve) => socket.once("close", resolve));
    const { method, target: url, rawHeaders } = request;
    const headers: Record<string, string> = Object.create(null);
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]!.toLowerCase();
      const former = headers[name];
      headers[name] = former === undefined ? rawHeaders[i + 1]! : `${former}, ${rawHeaders[i + 1]}`;
    }
    const handshake = { method, url, headers } as unknown as IncomingMessage;
    this.#server.handleUpgrade(handshake, socket, Buffer.alloc(0), (accepted) => {
      const handler = accept(new ServerSocket(accepted));
      const decoder = new TextDecoder();
      accepted.on("message", (data) => handler.onText(decoder.decode(data)));
      accepted.on("pong", () => handler.onPong());
      accepted.on("close", () => handler.onClose());
      accepted.on("error", () => {}); // "close" follows
    });
    return closed;
  }
}

class ServerSocket implements AcceptedSocket {
  readonly #socket: WsSocket;

  constructor(socket: WsSocket) {
    this.#socket = socket;
  }

  get bufferedAmount(): number {
    return this.#socket.bufferedAmount;
  }

  send(text: string, sent: () => void = () => {}): void {
    if (this.#socket.readyState === OPEN) this.#socket.send(text, sent);
    else sent();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  ping(): void {
    if (this.#socket.readyState === OPEN) this.#socket.ping();
  }

  close(code: number, reason: string): void {
    this.#socket.resume(); // a paused socket would not see the peer's answer
    this.#socket.close(code, reason);
  }

  terminate(): void {
    this.#socket.terminate();
  }
}
