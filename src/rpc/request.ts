import type { KiteError } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import { randomHex } from "../protocol/random.ts";
import { Args } from "./args.ts";
import type { Authentication, IncomingRequest } from "./codec.ts";
import { type Metadata, NO_METADATA } from "./metadata.ts";
import type { RemoteKite } from "./remote.ts";
import { isTrackingId, LAST_ID } from "./tracked.ts";
import { RequestLife, type RequestLives } from "./request_life.ts";

/**
 * One call of a method. Handlers receive it as their argument.
 *
 * @example
 * ```ts
 * import { Kite } from "@kite/kite";
 *
 * const kite = new Kite("math", "1.0.0");
 * kite.handle("square", ({ args, username, signal }) => {
 *   signal.throwIfAborted();
 *   kite.log.info("{username} calls square", { username });
 *   return args.one().number() ** 2;
 * });
 * ```
 */
export interface KiteRequest {
  /** The method's name. */
  readonly method: string;
  /** The request's id, 16 hex digits. Every error that answers the request contains it. */
  readonly id: string;
  /** The arguments. */
  readonly args: Args;
  /**
   * The caller. The caller claims all seven fields and may lie, except that `username` is the
   * authenticated one if {@linkcode KiteRequest.isAuthenticated} is true.
   */
  readonly kite: KiteIdentity;
  /** The caller's username, see {@linkcode KiteRequest.isAuthenticated}. */
  readonly username: string;
  /** True if an authenticator confirmed `username`; false if the caller only claims it. */
  readonly isAuthenticated: boolean;
  /** The authentication that the caller sent; undefined if it sent none. */
  readonly authentication: Authentication | undefined;
  /** The caller. Its methods can be called over the same connection. */
  readonly client: RemoteKite;
  /** The kite that serves this request. */
  readonly localKite: KiteIdentity;
  /**
   * Aborted when the caller cancels the call, when its deadline passes, and when its session ends.
   * Once the call is answered, only the end of the session aborts it.
   */
  readonly signal: AbortSignal;
  /**
   * When the caller stops waiting, in milliseconds since the epoch. Undefined if the caller does
   * not say, as in calls from Go kites and kite.js.
   */
  readonly deadline: number | undefined;
  /** Text that the caller sent beside the arguments, by name. Empty if it sent none. */
  readonly meta: Metadata;
  /**
   * The id of the last tracked item that the caller has of the stream: continue after it. Undefined
   * for a stream from the start.
   */
  readonly lastId: string | undefined;
  /** Values shared by the hooks and the handler of this request. */
  readonly context: Map<string, unknown>;
}

/** Creates the error of a call that is refused, by the name of its method. */
export type RefuseCall = (method: string) => KiteError;

/** The parts of a conversation that its requests use. */
export interface RequestOrigin {
  /** The caller, whose methods can be called. */
  readonly remote: RemoteKite;
  /** The kite that serves the request. */
  readonly localKite: KiteIdentity;
  /** The requests of the session whose signal was used. */
  readonly lives: RequestLives;
  /** True if the caller's authentication must be checked (docs/protocol.md §5). */
  readonly authenticates: boolean;
  /** Creates the error of calls of methods without authentication, if the caller must not make any. */
  readonly refuseUnauthenticated: RefuseCall | undefined;
}

/** The implementation of {@linkcode KiteRequest}, which handlers cannot change. */
export class IncomingCall implements KiteRequest {
  readonly method: string;
  readonly authentication: Authentication | undefined;
  readonly #origin: RequestOrigin;
  readonly #message: IncomingRequest;
  #life: RequestLife | undefined;
  #kite: KiteIdentity;
  #isAuthenticated = false;
  #id: string | undefined;
  #args: Args | undefined;
  #context: Map<string, unknown> | undefined;

  constructor(message: IncomingRequest, origin: RequestOrigin) {
    this.method = message.method;
    this.authentication = message.authentication;
    this.#kite = message.kite;
    this.#origin = origin;
    this.#message = message;
  }

  get id(): string {
    return this.#id ??= randomHex(8);
  }

  get args(): Args {
    return this.#args ??= new Args(this.#message.args, this.method);
  }

  get kite(): KiteIdentity {
    return this.#kite;
  }

  get username(): string {
    return this.#kite.username;
  }

  get isAuthenticated(): boolean {
    return this.#isAuthenticated;
  }

  get localKite(): KiteIdentity {
    return this.#origin.localKite;
  }

  get client(): RemoteKite {
    return this.#origin.remote;
  }

  get signal(): AbortSignal {
    return IncomingCall.lifeOf(this).signal;
  }

  get deadline(): number | undefined {
    return this.#message.timeout === undefined ? undefined : IncomingCall.lifeOf(this).deadline;
  }

  get meta(): Metadata {
    return this.#message.meta ?? NO_METADATA;
  }

  get lastId(): string | undefined {
    const id = this.#message.meta?.[LAST_ID];
    return isTrackingId(id) ? id : undefined;
  }

  get context(): Map<string, unknown> {
    return this.#context ??= new Map();
  }

  /** True if the caller's authentication must be checked before the handler runs. */
  get authenticates(): boolean {
    return this.#origin.authenticates;
  }

  /** See {@linkcode RequestOrigin.refuseUnauthenticated}. */
  get refuseUnauthenticated(): RefuseCall | undefined {
    return this.#origin.refuseUnauthenticated;
  }

  /** The life of the request; the caller's timeout starts with the first use. */
  static lifeOf(call: IncomingCall): RequestLife {
    return call.#life ??= new RequestLife(call.#message, call.#origin.lives);
  }

  /** Notes that the call was answered in the turn in which it arrived. */
  static end(call: IncomingCall): void {
    call.#life?.end();
  }

  /**
   * Sets the username that an authenticator confirmed. Static, so that handlers cannot reach it.
   */
  static authenticated(call: IncomingCall, username: string): void {
    if (call.#kite.username !== username) call.#kite = { ...call.#kite, username };
    call.#isAuthenticated = true;
  }
}
