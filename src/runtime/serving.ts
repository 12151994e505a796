import type { ByteStream, ByteStreamHandler } from "./byte_stream.ts";
import type { Upgrade } from "./upgrade.ts";

/** The options of `serve`, with all defaults filled in. */
export interface ListenOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly idleTimeout: number;
  readonly connections: number;
  readonly webSocketBytes: number;
  readonly onError: (error: unknown) => void;
}

/** A connection that a protocol other than HTTP takes over. */
export interface TakenOver {
  readonly stream: ByteStream & { handler: ByteStreamHandler };
  /** Bytes that arrived after the head of the request. */
  readonly early: Uint8Array<ArrayBuffer>;
}

/** The sender of a request. */
export interface RequestPeer {
  /** `host:port` of the peer. */
  readonly remoteAddress: string;
  /** Sets a listener that is called if the peer leaves before its response is complete. */
  onGone?(listener: () => void): void;
  /**
   * Takes over the connection of a request that asks for an upgrade. The returned response is ignored
   * then. Returns `undefined` if the request cannot be upgraded.
   */
  takeOver?(): TakenOver | undefined;
  /**
   * Upgrades the request to a WebSocket, on runtimes whose `Request` cannot be upgraded.
   *
   * @throws {KiteError} `protocolError` if the request is not a WebSocket handshake
   */
  upgrade?(): Upgrade;
}

/** Returns the peer of a request that a proxy has forwarded, with the address of its client. */
export function forwardedPeer(peer: RequestPeer, remoteAddress: string): RequestPeer {
  return {
    remoteAddress,
    onGone: (listener) => peer.onGone?.(listener),
    ...(peer.upgrade === undefined ? {} : { upgrade: () => peer.upgrade!() }),
    ...(peer.takeOver === undefined ? {} : { takeOver: () => peer.takeOver!() }),
  };
}

/**
 * Returns a response that can be sent.
 *
 * @throws {TypeError} for anything else, such as a response that was sent before
 */
export function checkResponse(response: Response): Response {
  if (!isResponse(response)) {
    throw new TypeError("Cannot send the response: the handler has returned something else");
  }
  if (response.bodyUsed || response.body?.locked) {
    throw new TypeError("Cannot send the response: its body was read already");
  }
  if (response.status < 200) {
    throw new TypeError(`Cannot send the response: its status is ${response.status}`);
  }
  return response;
}

/** Responses of other packages, which replace the global class, count as well. */
function isResponse(value: unknown): boolean {
  const { status, headers } = (value ?? {}) as Partial<Response>;
  return Number.isInteger(status) && typeof headers?.[Symbol.iterator] === "function";
}

/** A listening server. */
export interface RunningServer {
  /** The address it listens on. */
  readonly hostname: string;
  /** The port it listens on. */
  readonly port: number;
  /** Resolves when the server has closed. */
  readonly finished: Promise<void>;
  /**
   * Stops accepting connections, and closes the server when the running requests have finished.
   *
   * @param deadline Milliseconds after which running requests are cancelled; default: 5_000
   */
  close(deadline?: number): Promise<void>;
  /** Closes the server immediately, with its running requests. */
  abort(): Promise<void>;
}

/** Answers a request. */
export type ServeHandler = (
  request: Request,
  peer: RequestPeer,
) => Response | Promise<Response>;
