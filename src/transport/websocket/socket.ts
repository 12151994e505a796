import type { EncodedText } from "../encoded_text.ts";
import { KiteError } from "../../protocol/errors.ts";

/** A WebSocket of either side that carries text messages. */
export interface MessageSocket {
  /** The peer's `host:port`, or `""`. */
  readonly remoteAddress: string;
  /** Bytes passed to `send` that the network has not accepted yet. */
  readonly bufferedAmount: number;
  /** Sends one text message. Never throws; does nothing after the end. */
  send(text: string): void;
  /** The same for a text that is encoded already. Optional; use `send` if it is missing. */
  sendEncoded?(text: EncodedText): void;
  /** Sends a ping. Returns false if the runtime has no function for it. */
  ping(): boolean;
  /** Starts the closing handshake, and closes the connection if that takes longer than two seconds. */
  close(code: number, reason: string): void;
  /** Closes the connection immediately. */
  terminate(): void;
}

/** The listener of a {@linkcode MessageSocket}. */
export interface SocketHandler {
  /** Called after the handshake, before any other event and before `openSocket` resolves. */
  onOpen(socket: MessageSocket): void;
  /** Called with the text of each message. */
  onText(text: string): void;
  /** Called when any data arrives from the peer. */
  onAlive(): void;
  /** Called when closing begins; no text follows. Native sockets do not call it. */
  onClosing(): void;
  /**
   * Called when the peer has broken the protocol or a limit. The handler must close the socket.
   *
   * @default the socket closes itself with this code
   */
  onViolation?(code: number, reason: string): void;
  /**
   * Called when the socket needs memory for an incomplete message.
   *
   * @returns false if it must not have it, which closes the socket
   */
  onHold?(bytes: number): boolean;
  /** Called when the socket has freed memory of `onHold`. */
  onFree?(bytes: number): void;
  /**
   * The end, once: nothing is left of the socket.
   *
   * @param code 1006 when it came without a code.
   */
  onClose(code: number, reason: string): void;
}

/** How to open a {@linkcode MessageSocket}. */
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
  handler: SocketHandler,
) => Promise<MessageSocket>;

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
