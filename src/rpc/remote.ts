import type { Callback } from "../dnode/scrub.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Api, Contract } from "./contract_types.ts";

/** How one call is made. */
export interface TellOptions {
  /**
   * Milliseconds in which the answer must come; 0 for no bound.
   * @default the kite's `timeout`, 15_000
   */
  readonly timeout?: number;
  /** Gives the call up: it fails with `aborted`. The remote is not told. */
  readonly signal?: AbortSignal;
  /**
   * How long the remote may call the functions in the arguments. All end with the session, and with
   * {@linkcode RemoteKite.release}.
   *
   * - `"auto"`: until the call ends, and after that while there is room: when the remote holds
   *   `callbacksPerSession` functions, the one of an ended call that was unused longest is freed.
   * - `"call"`: until the call ends.
   * - `"session"`: until the session ends, for subscriptions that may be silent for long. Such
   *   functions count fully: when there is no room, further calls fail with `limitError`.
   *
   * A call that timed out or was aborted frees its functions. Functions in results and in arguments
   * of callbacks are held as with `"session"`.
   *
   * @default "auto"
   */
  readonly callbacks?: "auto" | "call" | "session";
  /**
   * True if calling the method twice has the effect of calling it once. When the connection is lost
   * before the answer has come, a client that redials repeats the call, within the same timeout.
   * Other calls fail with `disconnect` and are never repeated.
   *
   * @default false
   */
  readonly idempotent?: boolean;
}

/** How the functions that {@linkcode RemoteKite.as} returns call the remote. */
export interface ApiOptions extends TellOptions {
  /**
   * Checks results and items against their schemas when they arrive.
   *
   * @default false
   */
  readonly validateResults?: boolean;
}

/** A kite at the other end of a session, whichever side dialled. */
export interface RemoteKite {
  /** What the remote last said of itself, unchecked unless it authenticated; undefined before. */
  readonly identity: KiteIdentity | undefined;
  /** The remote's address, `host:port` where known, else `""`. */
  readonly remoteAddress: string;
  /**
   * Calls a method of the remote and gives its result: `unknown`, unless a type is named. Functions
   * anywhere in the arguments travel.
   *
   * @example A type is an assertion, not a check
   * ```ts ignore
   * const square = await remote.tell<number>("square", 4);
   * ```
   *
   * @throws {KiteError} the remote's error, or `timeout`, `disconnect`, `sendError`, `argumentError`
   * (what JSON cannot carry), `limitError`, `invalidResponse`
   */
  tell(method: string, ...args: unknown[]): Promise<unknown>;
  /** The same, with the type of the result. It is an assertion and not checked. */
  tell<Result>(method: string, ...args: unknown[]): Promise<Result>;
  /** Calls a method, see {@linkcode RemoteKite.tell}, with options. */
  tellWith(options: TellOptions, method: string, ...args: unknown[]): Promise<unknown>;
  /** The same, with the type of the result. It is an assertion and not checked. */
  tellWith<Result>(options: TellOptions, method: string, ...args: unknown[]): Promise<Result>;
  /**
   * Returns the typed functions of a contract. Each calls the method of its name.
   *
   * @param options options of every call; those given with a call override them
   */
  as<C extends Contract>(contract: C, options?: ApiOptions): Api<C>;
  /**
   * Takes a function back that was handed to the remote: later invocations are ignored.
   *
   * @returns whether the remote held it
   */
  release(callback: Callback): boolean;
  /**
   * Hears of the end of the session.
   *
   * @returns a function that removes the listener
   */
  onDisconnect(listener: () => unknown): () => void;
  /** Ends the session; idempotent. */
  close(): void;
}
