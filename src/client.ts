import type { ClientState, DialOptions } from "./client_options.ts";
import type { KiteError } from "./protocol/errors.ts";
import type { Authentication } from "./rpc/codec.ts";
import type { RemoteKite } from "./rpc/remote.ts";
import type { CloseInfo, TransportName } from "./transport/session.ts";

/**
 * A connection to one remote kite, dialled by this side. Calls travel both ways over it. Create one
 * with {@linkcode Kite.newClient} or {@linkcode Kite.getKites}.
 *
 * @example
 * ```ts ignore
 * import { Kite } from "@kite/kite";
 *
 * const kite = new Kite("exp2", "1.0.0");
 * await using remote = kite.newClient("http://localhost:3636/kite");
 * await remote.dial();
 * console.log(await remote.tell("square", 4)); // 16
 * ```
 */
export interface Client extends RemoteKite, AsyncDisposable {
  /** The remote's URL. If there are several, the one in use. */
  readonly url: string;
  /** Whether the client is connected, and what it does if it is not. */
  readonly state: ClientState;
  /** The transport of the current connection; undefined without one. */
  readonly transport: TransportName | undefined;
  /** The authentication that each call sends. It can be replaced at any time. */
  authentication: Authentication | undefined;
  /** Numbers of calls, functions and streams that the current connection keeps, to detect leaks. */
  readonly load: {
    /** Calls that wait for an answer. */
    readonly pending: number;
    /** Functions that the remote can call. */
    readonly callbacks: number;
    /** Requests of the remote that are being served. */
    readonly running: number;
    /** Open streams, in both directions. */
    readonly streams: number;
    /** Calls that wait for a connection. */
    readonly waiting: number;
  };
  /**
   * Connects, with one attempt. Does nothing if the client is connected.
   *
   * @throws {KiteError} `sendError` if the remote cannot be reached, `timeout`, `aborted`,
   * `configError` if the URL or an option cannot be used
   */
  dial(options?: DialOptions): Promise<void>;
  /**
   * Connects, and retries until it succeeds. Also reconnects whenever the connection is lost.
   *
   * @throws {KiteError} `aborted`; `disconnect` if the client is closed meanwhile; the last error after
   * `maxAttempts`
   */
  dialForever(options?: Pick<DialOptions, "signal">): Promise<void>;
  /**
   * Adds a listener for each new connection.
   *
   * @returns a function that removes the listener
   */
  onConnect(listener: () => unknown): () => void;
  /**
   * Adds a listener for each lost or closed connection. `willRedial` is true if the client reconnects.
   *
   * @returns a function that removes the listener
   */
  onDisconnect(
    listener: (info: CloseInfo & { readonly willRedial: boolean }) => unknown,
  ): () => void;
  /**
   * Adds a listener for each failed attempt to connect. `attempt` counts from 1.
   *
   * @returns a function that removes the listener
   */
  onDialError(
    listener: (failure: { readonly error: KiteError; readonly attempt: number }) => unknown,
  ): () => void;
  /**
   * Adds a listener that is called when the last of `maxAttempts` retries has failed. `attempts` is
   * the number of retries.
   *
   * @returns a function that removes the listener
   */
  onGiveUp(listener: (failure: { readonly attempts: number }) => unknown): () => void;
  /**
   * Adds a listener that is called when the remote answers that the token of this client has expired.
   *
   * @returns a function that removes the listener
   */
  onTokenExpire(listener: (error: KiteError) => unknown): () => void;
  /**
   * Adds a listener that is called when {@linkcode Client.authentication} is replaced.
   *
   * @returns a function that removes the listener
   */
  onTokenRenew(listener: (authentication: Authentication) => unknown): () => void;
  /**
   * Closes the connection and does not reconnect. Running calls fail with `disconnect`. Resolves when
   * the connection is closed. Further calls have no effect.
   */
  close(): Promise<void>;
}
