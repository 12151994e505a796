import type { KiteIdentity } from "../protocol/identity.ts";
import { Args } from "./args.ts";
import type { Authentication, IncomingRequest } from "./codec.ts";
import type { RemoteKite } from "./remote.ts";

/** What a request needs from the conversation that it came through. */
export interface RequestOrigin {
  /** The remote, to call back on. */
  readonly remote: RemoteKite;
  /** The kite that serves the request. */
  readonly localKite: KiteIdentity;
  /** Aborted when the session ends. */
  readonly signal: AbortSignal;
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
  readonly #values: readonly unknown[];
  #id: string | undefined;
  #args: Args | undefined;
  #context: Map<string, unknown> | undefined;

  /** Made for each call that comes in. */
  constructor(message: IncomingRequest, origin: RequestOrigin) {
    this.method = message.method;
    this.kite = message.kite;
    this.authentication = message.authentication;
    this.#origin = origin;
    this.#values = message.args;
  }

  /** The request's own id, 16 hex digits; also in every error that answers it. */
  get id(): string {
    return this.#id ??= newRequestId();
  }

  /** The arguments. */
  get args(): Args {
    return this.#args ??= new Args(this.#values, this.method);
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

  /** Aborted when the caller's session ends: what nobody waits for any more can stop. */
  get signal(): AbortSignal {
    return this.#origin.signal;
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
