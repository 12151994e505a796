import type { EncodedText } from "./encoded_text.ts";
import type { Message } from "./message.ts";

/**
 * The interface between a conversation and its transport.
 *
 * Every transport, server side and client side, follows this contract:
 * - A new session is open. It delivers messages in both directions, in order, without duplicates.
 * - `send` never throws and never blocks. If the transport has frames, the messages of one turn
 *   of the event loop share a frame. After the end of the session, messages are discarded.
 * - `onClose` is called exactly once, however the session ends. No `onMessage` follows it.
 * - Messages received before `attach` are kept (within the limits), and `attach` delivers them.
 * - `close` is idempotent, and ends within a bounded time even if the peer is silent.
 * - If a handler throws, the transport closes that session with code 1011. Other sessions are not
 *   affected.
 */
export interface Session {
  /** The transport in use. */
  readonly transport: TransportName;
  /** The peer's address as `host:port`, or `""` if unknown. */
  readonly remoteAddress: string;
  /** False as soon as the session begins to close. */
  readonly isOpen: boolean;
  /** Bytes (estimated) passed to `send` that the network has not accepted yet. */
  readonly bufferedAmount: number;
  /** Sets the handler of messages and of the end. Call it once. */
  attach(handler: SessionHandler): void;
  /** Sends the text of one message: a JSON object, or the array of a compact message. */
  send(message: string): void;
  /**
   * Sends a message that {@linkcode escapeMessage} has already encoded as the inside of a JSON string.
   * Transports whose frames contain such strings then need not encode it. Optional; use
   * {@linkcode Session.send} if it is missing.
   *
   * @internal
   */
  sendEscaped?(escaped: EncodedText): void;
  /**
   * Ends the session.
   *
   * @param code SockJS/WebSocket close code, 1000 or 3000–4999; default: 3000, "Go away!"
   */
  close(code?: number, reason?: string): void;
}

/** The listener of a {@linkcode Session}. */
export interface SessionHandler {
  /** Called with each message. */
  onMessage(message: Message): void;
  /** Called once, when the session has ended. */
  onClose(info: CloseInfo): void;
}

/** How a session ended. */
export interface CloseInfo {
  /** SockJS/WebSocket close code; 1006 if the connection was lost without one. */
  readonly code: number;
  /** The reason given by the side that closed; often `""`. */
  readonly reason: string;
}

/**
 * The transport of a session. `"WebSocket"` is SockJS over a WebSocket, `"rawWebSocket"` is a WebSocket
 * without SockJS, `"custom"` is a session that the user provides. The others are the HTTP transports of
 * SockJS.
 */
export type TransportName =
  | "WebSocket"
  | "rawWebSocket"
  | "custom"
  | "XHRPolling"
  | "XHRStreaming"
  | "EventSource"
  | "HTMLFile"
  | "JSONPPolling";
