import type { KiteIdentity } from "../protocol/identity.ts";
import { Args } from "./args.ts";
import type { Authentication, IncomingRequest } from "./codec.ts";
import { type Metadata, NO_METADATA } from "./metadata.ts";
import type { RemoteKite } from "./remote.ts";
import { RequestLife, type RequestLives } from "./request_life.ts";

/** What a request needs from the conversation that it came through. */
export interface RequestOrigin {
  /** The remote, to call back on. */
  readonly remote: RemoteKite;
  /** The kite that serves the request. */
  readonly localKite: KiteIdentity;
  /** The requests of the session whose signal was asked for. */
  readonly lives: RequestLives;
  /** True when the caller's authentication must be checked (docs/protocol.md §5). */
  readonly authenticates: boolean;
}

/** One call of a method: what handlers are given. */
export class KiteRequest {
  /** The method's name. */
  readonly method: string;
  /**
   * Who calls: the seven fields as the caller states them, except that `username` is the
   * authenticated one where the call was authenticated.
   */
  kite: KiteIdentity;
  /** The caller's authentication as it came, or undefined when it showed none. */
  readonly authentication: Authentication | undefined;
  /** True once an authenticator has vouched for `username`; false when it is merely claimed. */
  isAuthenticated = false;
  readonly #origin: RequestOrigin;
  readonly #message: IncomingRequest;
  #life: RequestLife | undefined;
  #id: string | undefined;
  #args: Args | undefined;
  #context: Map<string, unknown> | undefined;

  /** Made for each call that comes in. */
  constructor(message: IncomingRequest, origin: RequestOrigin) {
    this.method = message.method;
    this.kite = message.kite;
    this.authentication = message.authentication;
    this.#origin = origin;
    this.#message = message;
  }

  /** Returns how long the answer is wanted, for the library itself: counts from the first use. */
  static lifeOf(request: KiteRequest): RequestLife {
    return request.#life ??= new RequestLife(request.#message, request.#origin.lives);
  }

  /** Tells a request that needed no time that it is answered, for the library itself. */
  static end(request: KiteRequest): void {
    request.#life?.end();
  }

  /** The request's own id, 16 hex digits; also in every error that answers it. */
  get id(): string {
    return this.#id ??= newRequestId();
  }

  /** The arguments. */
  get args(): Args {
    return this.#args ??= new Args(this.#message.args, this.method);
  }

  /** The caller's username: authenticated or claimed, see {@linkcode KiteRequest.isAuthenticated}. */
  get username(): string {
    return this.kite.username;
  }

  /** The kite that serves this request. */
  get localKite(): KiteIdentity {
    return this.#origin.localKite;
  }

  /** The caller, to call back on over the same connection. */
  get client(): RemoteKite {
    return this.#origin.remote;
  }

  /**
   * Aborted when the caller gives the call up, when its deadline passes, and when the session ends.
   * Once the call is answered, only the end of the session aborts it.
   */
  get signal(): AbortSignal {
    return KiteRequest.lifeOf(this).signal;
  }

  /**
   * When the caller stops waiting, in milliseconds since the epoch; undefined if it does not say, as
   * callers of other implementations.
   */
  get deadline(): number | undefined {
    return this.#message.timeout === undefined ? undefined : KiteRequest.lifeOf(this).deadline;
  }

  /** Text that the caller sent beside the arguments, by name; empty if it sent none. */
  get meta(): Metadata {
    return this.#message.meta ?? NO_METADATA;
  }

  /** True when the caller's authentication must be checked before the handler runs. */
  get authenticates(): boolean {
    return this.#origin.authenticates;
  }

  /** Values that the handlers of one chain share. */
  get context(): Map<string, unknown> {
    return this.#context ??= new Map();
  }
}

function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  let id = "";
  for (const byte of bytes) id += byte.toString(16).padStart(2, "0");
  return id;
}
