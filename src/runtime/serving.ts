import type { Upgrade } from "./upgrade.ts";

/** {@linkcode ServeOptions}, complete. */
export interface ListenOptions {
  readonly hostname: string;
  readonly port: number;
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly idleTimeout: number;
  readonly connections: number;
  readonly webSocketBytes: number;
  readonly onError: (error: unknown) => void;
}

/** Who sent a request. */
export interface RequestPeer {
  /** `host:port` of the peer. */
  readonly remoteAddress: string;
  /** Sets what is called when the peer leaves before its response is complete; for long responses. */
  onGone?(listener: () => void): void;
  /**
   * Turns the request into a WebSocket, on runtimes whose `Request` cannot do that.
   *
   * @throws {KiteError} `protocolError` when the request is no WebSocket handshake
   */
  upgrade?(): Upgrade;
}

/** A server that listens. */
export interface RunningServer {
  /** The address that it listens on. */
  readonly hostname: string;
  /** The port that it listens on. */
  readonly port: number;
  /** Resolves when it has ended. */
  readonly finished: Promise<void>;
  /**
   * Takes no new connection, lets the requests that run finish, and ends.
   *
   * @param deadline Milliseconds after which requests that still run are cut off; default: 5_000
   */
  close(deadline?: number): Promise<void>;
  /** Ends at once, and cuts off what runs. */
  abort(): Promise<void>;
}

/** Answers a request. */
export type ServeHandler = (
  request: Request,
  peer: RequestPeer,
) => Response | Promise<Response>;
