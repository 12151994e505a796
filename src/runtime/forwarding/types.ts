/** The head of an HTTP request, exactly as the client sent it. */
export interface RequestHead {
  readonly method: string;
  /** The request target, such as `/proxy/id/info?t=1`. */
  readonly target: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
  /** True for a WebSocket handshake. */
  readonly isWebSocket: boolean;
  /** The client's address, without its port. */
  readonly remoteAddress: string;
  /** True when the request came over TLS. */
  readonly isSecure: boolean;
}

/** Where a request is sent. */
export interface Upstream {
  /** A host name or address; IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** True for TLS. */
  readonly secure: boolean;
  /** Refuse to connect to private addresses, also when a name resolves to one. */
  readonly publicOnly: boolean;
}

/** What becomes of a request. */
export type Decision =
  | { readonly kind: "answer"; readonly status: number; readonly text: string }
  | {
    readonly kind: "forward";
    readonly upstream: Upstream;
    readonly target: string;
    /** The headers to send, names and values in turn. */
    readonly headers: readonly string[];
    /** Counts the exchange until the returned function is called; `undefined` refuses it with 503. */
    readonly enter?: () => (() => void) | undefined;
  }
  | { readonly kind: "accept"; readonly accept: (socket: AcceptedSocket) => AcceptedSocketHandler };

/** A WebSocket that this server accepted. */
export interface AcceptedSocket {
  /** Bytes given to `send` that the network has not taken yet. */
  readonly bufferedAmount: number;
  /**
   * Sends one text message.
   *
   * @param sent called once the network has taken it, or the socket ended
   */
  send(text: string, sent?: () => void): void;
  /** Stops reading, so that the peer has to wait. */
  pause(): void;
  /** Reads again. */
  resume(): void;
  /** Asks for a sign of life. */
  ping(): void;
  /** Starts the closing handshake. */
  close(code: number, reason: string): void;
  /** Drops the connection at once. */
  terminate(): void;
}

/** The listener of an {@linkcode AcceptedSocket}. */
export interface AcceptedSocketHandler {
  onText(text: string): void;
  /** The peer answered a ping. */
  onPong(): void;
  /** The end, once. */
  onClose(): void;
}

/** The bounds of a front. */
export interface ForwardingLimits {
  /** Connections of clients at once. Further ones are closed at once. */
  readonly connections: number;
  /** Bytes of a request's head. A longer one is answered 431. */
  readonly headerBytes: number;
  /** Milliseconds for a request's head. A slower one is answered 408. */
  readonly headersTimeout: number;
  /** Milliseconds for a whole request, its body included. A slower one is answered 408. */
  readonly requestTimeout: number;
  /** Milliseconds without a byte in either direction until an exchange or a WebSocket is ended. */
  readonly idleTimeout: number;
  /** Milliseconds to connect to an upstream. */
  readonly connectTimeout: number;
  /** Bytes of one WebSocket message that the front itself accepts. Close code 1009. */
  readonly webSocketBytes: number;
}

/** How to listen. */
export interface ForwardingOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Certificates of private authorities, PEM, trusted for upstreams beside the public ones. */
  readonly ca: readonly string[];
  readonly limits: ForwardingLimits;
  /** Chooses what becomes of a request. */
  readonly decide: (head: RequestHead) => Decision | Promise<Decision>;
  /** The headers of an upstream's answer that go on to the client, names and values in turn. */
  readonly answerHeaders: (rawHeaders: readonly string[]) => string[];
  /** Called with what failed inside the front. */
  readonly onError: (error: unknown) => void;
}
