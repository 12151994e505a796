import { KiteError } from "../../protocol/errors.ts";

/** A WebSocket that was dialled, whoever does its framing. */
export interface ClientSocket {
  /** The peer's `host:port`, or `""`. */
  readonly remoteAddress: string;
  /** Bytes given to `send` and not yet taken by the network. */
  readonly bufferedAmount: number;
  /** Sends one text message. Never throws; after the end a no-op. */
  send(text: string): void;
  /** Asks for a sign of life, where the runtime lets us. */
  ping(): void;
  /** Starts the closing handshake, and drops the connection if that takes longer than two seconds. */
  close(code: number, reason: string): void;
  /** Drops the connection at once. */
  terminate(): void;
}

/** Who hears of a {@linkcode ClientSocket}. */
export interface ClientSocketHandler {
  /** The handshake is done. Comes before anything else, even before `openSocket` has resolved. */
  onOpen(socket: ClientSocket): void;
  /** The text of one message. */
  onText(text: string): void;
  /** Something came from the peer. */
  onAlive(): void;
  /** The end has begun: no text follows. Not called where that cannot be told from the end. */
  onClosing(): void;
  /**
   * The end, once: nothing is left of the socket.
   *
   * @param code 1006 when it came without a code.
   */
  onClose(code: number, reason: string): void;
}

/** How to open a {@linkcode ClientSocket}. */
export interface SocketOptions {
  readonly headers: Headers;
  /** Certificates of private authorities, PEM. */
  readonly ca: readonly string[];
  /** Of one incoming message; a longer one ends the socket with 1009. */
  readonly maxBytes: number;
  /** Bytes not yet taken by the network at which answering pings would be hoarding. */
  readonly outgoingBytes: number;
  /** Gives the attempt up. Without effect once the socket is open. */
  readonly signal: AbortSignal;
}

/** The server answered, but not with a WebSocket: another transport may still work. */
export class HandshakeRefused extends KiteError {
  /** The HTTP status of the answer; undefined where there was none, or it is not known. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super("sendError", message);
    this.status = status;
  }
}

/** Milliseconds that a closing handshake may take. */
export const CLOSE_TIMEOUT = 2_000;
