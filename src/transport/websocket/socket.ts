import { KiteError } from "../../protocol/errors.ts";

/** A client WebSocket. */
export interface ClientSocket {
  /** The peer's `host:port`, or `""`. */
  readonly remoteAddress: string;
  /** Bytes passed to `send` that the network has not accepted yet. */
  readonly bufferedAmount: number;
  /** Sends one text message. Never throws; does nothing after the end. */
  send(text: string): void;
  /** Sends a ping, if the runtime supports it. */
  ping(): void;
  /** Starts the closing handshake, and closes the connection if that takes longer than two seconds. */
  close(code: number, reason: string): void;
  /** Closes the connection immediately. */
  terminate(): void;
}

/** The listener of a {@linkcode ClientSocket}. */
export interface ClientSocketHandler {
  /** Called after the handshake, before any other event and before `openSocket` resolves. */
  onOpen(socket: ClientSocket): void;
  /** Called with the text of each message. */
  onText(text: string): void;
  /** Called when any data arrives from the peer. */
  onAlive(): void;
  /** Called when closing begins; no text follows. Native sockets do not call it. */
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
  /** Maximum bytes of an incoming message; a longer one closes the socket with 1009. */
  readonly maxBytes: number;
  /** Maximum bytes waiting to be sent. If a ping arrives above this limit, the connection is closed. */
  readonly outgoingBytes: number;
  /** Aborts the attempt. No effect once the socket is open. */
  readonly signal: AbortSignal;
}

/**
 * Opens a WebSocket.
 *
 * @throws {HandshakeRefused} when the server answers with anything but a WebSocket.
 * @throws {KiteError} `sendError` when it cannot be reached; the reason of the signal when aborted.
 */
export type OpenSocket = (
  url: URL,
  options: SocketOptions,
  handler: ClientSocketHandler,
) => Promise<ClientSocket>;

/** The error of a server that does not accept the WebSocket. Another transport may still work. */
export class HandshakeRefused extends KiteError {
  /** The HTTP status of the answer; undefined if unknown. */
  readonly status: number | undefined;

  constructor(message: string, status?: number) {
    super("sendError", message);
    this.status = status;
  }
}

/** Timeout of a closing handshake, milliseconds. */
export const CLOSE_TIMEOUT = 2_000;
