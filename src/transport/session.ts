/**
 * The one interface between a conversation and whatever carries its messages.
 *
 * The contract of every transport, server side and client side:
 * - A session given to its user is open. It carries text messages both ways, in order, none twice.
 * - `send` never throws and never blocks. Messages sent in one turn share one frame where the
 *   transport has frames (see {@linkcode Outbox}). After the end of the session they are dropped.
 * - Exactly one `onClose` follows, whoever ends it and however; after it comes no `onMessage`.
 * - Messages that come before `attach` are kept (within the limits) and delivered by it, in order.
 * - `close` is idempotent, and ends within a bounded time even when the peer is silent.
 * - A handler that throws is the handler's fault, yet harms no one: the transport closes that one
 *   session with code 1011 and goes on.
 */
export interface Session {
  /** Which transport carries it. */
  readonly transport: TransportName;
  /** The peer's address, `host:port` where the transport knows it, else `""`. */
  readonly remoteAddress: string;
  /** False as soon as the end has begun. */
  readonly isOpen: boolean;
  /** Bytes (estimated) taken by `send` and not yet by the network. */
  readonly bufferedAmount: number;
  /** Sets who hears of messages and of the end; to be called once. */
  attach(handler: SessionHandler): void;
  /** Sends the text of one message. */
  send(message: string): void;
  /**
   * Sends one message whose text was put inside of a JSON string beforehand, by
   * {@linkcode escapeMessage}: where a transport's frames are made of such strings, nothing is left to
   * encode. Without it, {@linkcode Session.send} has to do.
   */
  sendEscaped?(escaped: string): void;
  /**
   * Ends the session.
   *
   * @param code SockJS/WebSocket close code, 1000 or 3000–4999; default: 3000, "Go away!"
   */
  close(code?: number, reason?: string): void;
}

/** Who hears of a {@linkcode Session}. */
export interface SessionHandler {
  /** The text of one message. */
  onMessage(message: string): void;
  /** The end. */
  onClose(info: CloseInfo): void;
}

/** How a session ended. */
export interface CloseInfo {
  /** SockJS/WebSocket close code; 1006 when the connection was lost without one. */
  readonly code: number;
  /** Why, in the words of whoever ended it; often `""`. */
  readonly reason: string;
}

/**
 * The transport of a session. `"WebSocket"` is SockJS over a WebSocket, `"rawWebSocket"` is a WebSocket
 * without SockJS. The others are the HTTP transports of SockJS.
 */
export type TransportName =
  | "WebSocket"
  | "rawWebSocket"
  | "XHRPolling"
  | "XHRStreaming"
  | "EventSource"
  | "HTMLFile"
  | "JSONPPolling";
