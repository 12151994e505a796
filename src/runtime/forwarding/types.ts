import type { ServerStream } from "../http1/connection.ts";

/** The head of an HTTP request, exactly as the client sent it. */
export interface RequestHead {
  readonly method: string;
  /** The request target, such as `/proxy/id/info?t=1`. */
  readonly target: string;
  /** Names and values in turn. The same array may come with several requests of a client. */
  readonly rawHeaders: readonly string[];
  /** True for a WebSocket handshake. */
  readonly isWebSocket: boolean;
  /** The client's address, without its port. */
  readonly remoteAddress: string;
  /** True when the request came over TLS. */
  readonly isSecure: boolean;
}

/** The server that a request is forwarded to. */
export interface Upstream {
  /** A host name or address; IPv6 without brackets. */
  readonly hostname: string;
  readonly port: number;
  /** True for TLS. */
  readonly secure: boolean;
  /** Refuse to connect to private addresses, also if a name resolves to one. */
  readonly publicOnly: boolean;
}

/** How a request is handled. */
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
  /** Hands the connection of a WebSocket over, with the handshake still to be answered. */
  | { readonly kind: "accept"; readonly accept: (stream: ServerStream) => void };

/** The limits of a {@linkcode ForwardingServer}. */
export interface ForwardingLimits {
  /** Concurrent client connections. A further one replaces the oldest idle one, or is closed. */
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
}

/** Options of a {@linkcode ForwardingServer}. */
export interface ForwardingOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Certificates of private authorities, PEM, trusted for upstreams in addition to public ones. */
  readonly ca: readonly string[];
  readonly limits: ForwardingLimits;
  /** Decides how to handle a request. */
  readonly decide: (head: RequestHead) => Decision | Promise<Decision>;
  /** Selects the headers of an upstream's answer for the client, names and values in turn. */
  readonly answerHeaders: (rawHeaders: readonly string[]) => string[];
  /** Called with unexpected errors. */
  readonly onError: (error: unknown) => void;
}
