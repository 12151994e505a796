import type { Callback } from "../dnode/scrub.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { CloseInfo } from "../transport/session.ts";
import type { Api, Contract } from "./contract_types.ts";
import type { Metadata } from "./metadata.ts";

/**
 * What a call inherits from the request in which it is made. Every `KiteRequest` is a `CallScope`.
 */
export interface CallScope {
  /** Cancels the call. */
  readonly signal: AbortSignal;
  /** When the call is cancelled, in milliseconds since the epoch; undefined for no limit. */
  readonly deadline: number | undefined;
  /** Text that travels with the call. */
  readonly meta: Metadata;
}

/** Options of one call. */
export interface TellOptions {
  /**
   * Milliseconds until the call fails with `timeout`; 0 waits without a limit.
   *
   * @default the kite's `timeout`, 15_000
   */
  readonly timeout?: number;
  /**
   * Cancels the call, which fails with `aborted`. If the remote is a kite of this library, the signal
   * of its request is aborted. A timeout does the same.
   */
  readonly signal?: AbortSignal;
  /**
   * Makes the call on behalf of a request: the call is cancelled when the request is, waits no longer
   * than the request's deadline, and carries its metadata.
   */
  readonly within?: CallScope;
  /**
   * Text that travels with the call beside its arguments. The handler reads it from `request.meta`. It
   * is added to the metadata of `within`.
   */
  readonly meta?: Metadata;
  /**
   * The id of the last tracked item that this side has of a stream: the producer continues after it.
   * Typed streams set it when they repeat a call after a lost connection.
   */
  readonly lastId?: string;
  /**
   * How long the remote can call the functions in the arguments. The end of the session and
   * {@linkcode RemoteKite.release} always end it.
   *
   * - `"auto"`: until the call ends, and longer if there is room. If the remote holds
   *   `callbacksPerSession` functions, the least recently used function of an ended call is released.
   * - `"call"`: until the call ends.
   * - `"session"`: until the session ends, for subscriptions that may be silent for a long time. These
   *   functions are never released for others; if there is no room, calls fail with `limitError`.
   *
   * A call that times out or is aborted releases its functions. Functions in results and in arguments
   * of callbacks are kept as with `"session"`.
   *
   * @default "auto"
   */
  readonly callbacks?: "auto" | "call" | "session";
  /**
   * True if calling the method twice has the same effect as calling it once. If the connection is
   * lost before the answer arrives, a client that reconnects repeats the call within the same timeout.
   * Other calls, and those with a stream in their arguments, fail with `disconnect` and are never
   * repeated.
   *
   * @default false
   */
  readonly idempotent?: boolean;
}

/** Options of {@linkcode RemoteKite.as}. */
export interface ApiOptions extends TellOptions {
  /**
   * Checks results and items against their schemas when they arrive.
   *
   * @default false
   */
  readonly validateResults?: boolean;
}

/** The kite at the other end of a session, on either side of it. */
export interface RemoteKite {
  /**
   * The identity that the remote sent with its latest call, or that Kontrol gave; undefined if there
   * was none. It is not verified unless the remote was authenticated.
   */
  readonly identity: KiteIdentity | undefined;
  /** The remote's address as `host:port`, or `""` if it is not known. */
  readonly remoteAddress: string;
  /**
   * Calls a method of the remote. The arguments may contain functions, which the remote can call.
   *
   * @returns the result
   * @throws {KiteError} the remote's error, or `timeout`, `disconnect`, `sendError`, `argumentError`
   * (an argument that JSON cannot represent), `limitError`, `invalidResponse`
   * @example
   * ```ts ignore
   * const square: unknown = await remote.tell("square", 4);
   * ```
   */
  tell(method: string, ...args: unknown[]): Promise<unknown>;
  /**
   * Calls a method of the remote, and asserts the type of the result. The type is not checked.
   *
   * @example
   * ```ts ignore
   * const square = await remote.tell<number>("square", 4);
   * ```
   */
  tell<Result>(method: string, ...args: unknown[]): Promise<Result>;
  /** Calls a method with options, see {@linkcode RemoteKite.tell}. */
  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  /** Calls a method with options, and asserts the type of the result. The type is not checked. */
  tellWith<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
  /**
   * Returns the typed functions of a contract. Each calls the method of its name.
   *
   * @param options options of every call; those given with a call override them
   */
  as<C extends Contract>(contract: C, options?: ApiOptions): Api<C>;
  /**
   * Releases a function that was passed to the remote. The remote's later calls of it are ignored.
   *
   * @returns whether the remote could call it
   */
  release(callback: Callback): boolean;
  /**
   * Adds a listener for the end of the session.
   *
   * @returns a function that removes the listener
   */
  onDisconnect(listener: (info: CloseInfo) => unknown): () => void;
  /** Ends the session. Resolves when it has ended. Further calls have no effect. */
  close(): Promise<void>;
}
