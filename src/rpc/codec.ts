import type { FoundFunction } from "../dnode/scrub.ts";
import type { KiteErrorType } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Metadata } from "./metadata.ts";

/** A caller's credentials: the name of an authenticator and the key for it (docs/protocol.md §3). */
export interface Authentication {
  /** `token`, `kiteKey`, or the name of one of the owner's own. */
  readonly type: string;
  /** The JWT, or whatever the authenticator of that type reads. */
  readonly key: string;
}

/** The constant part of every request of one caller, encoded once. */
export interface RequestHead {
  /** The encoded text, in the codec's own form. */
  readonly text: string;
  /** A message to send before the first request with this head, if there is one. */
  readonly message?: string;
}

/** A request to send. */
export interface OutgoingRequest {
  readonly method: string;
  readonly head: RequestHead;
  readonly args: readonly unknown[];
  /** The id under which the answer is awaited. */
  readonly responseId: number;
  /** The functions in `args`, paths within `args`, with the id of each. */
  readonly functions: readonly FoundFunction[];
  readonly ids: readonly number[];
  /** Milliseconds that the caller waits; 0 or `Infinity` for no bound. */
  readonly timeout?: number;
  readonly meta?: Metadata | undefined;
  /** The names of our extensions as JSON, where the remote does not know them yet. */
  readonly can?: string | undefined;
}

/** An invocation of a function that we handed out, or of the callback that takes an answer. */
export interface IncomingInvoke {
  readonly kind: "invoke";
  readonly id: number;
  readonly args: unknown[];
}

/** A message that cannot be served. */
export interface IncomingBroken {
  readonly kind: "broken";
  readonly type: KiteErrorType;
  readonly reason: string;
  /** The request to answer, where that is known. */
  readonly responseId?: number | undefined;
  /** The call of ours that the message should have answered. */
  readonly callId?: number;
}

/** A message that came in. */
export type Incoming =
  | IncomingRequest
  | IncomingInvoke
  /** The result of a call of ours. */
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  /** Why a call of ours failed, unchecked. */
  | { readonly kind: "error"; readonly id: number; readonly error: unknown }
  /** The caller has given up the request with this response id. */
  | { readonly kind: "cancel"; readonly id: number }
  /** The remote no longer needs these functions of ours. */
  | { readonly kind: "release"; readonly ids: readonly number[] }
  /** These functions of the remote can no longer be called. */
  | { readonly kind: "revoke"; readonly ids: readonly number[] }
  /** The names of the remote's extensions, unchecked. */
  | { readonly kind: "can"; readonly names: unknown }
  /** The codec has kept what the message says. */
  | { readonly kind: "none" }
  | IncomingBroken;

/**
 * A method call that came in. `kite` and `authentication` are what the caller says, unchecked; a
 * caller that says the same again may give the very same objects.
 */
export interface IncomingRequest {
  readonly kind: "request";
  readonly method: string;
  readonly kite: KiteIdentity;
  readonly authentication: Authentication | undefined;
  readonly args: unknown[];
  readonly responseId: number | undefined;
  /** Milliseconds that the caller still waits; undefined when it does not say. */
  readonly timeout?: number | undefined;
  readonly meta?: Metadata | undefined;
  /** The names of the caller's extensions, unchecked; undefined when it names none. */
  readonly can?: unknown;
}

/**
 * How messages become text. Reading is up to each codec: its messages look different. A codec belongs
 * to one conversation and may remember what it saw there.
 */
export interface Codec {
  /**
   * Encodes what every request of this caller repeats.
   *
   * @param timeout milliseconds that requests wait unless they name another timeout
   */
  head(
    kite: KiteIdentity,
    authentication: Authentication | undefined,
    timeout: number,
  ): RequestHead;
  /** The text of a request. */
  request(request: OutgoingRequest): string;
  /**
   * The text of a successful answer.
   *
   * @param can the names of our extensions as JSON, where the remote does not know them yet
   */
  result(
    responseId: number,
    result: unknown,
    functions: readonly FoundFunction[],
    ids: readonly number[],
    can?: string,
  ): string;
  /**
   * The text of a failed answer.
   *
   * @param can as of {@linkcode Codec.result}
   */
  error(responseId: number, error: Readonly<Record<string, unknown>>, can?: string): string;
  /** The text that gives up a request; only for remotes that named `cancel/1`. */
  cancel(responseId: number): string;
  /** The text that invokes a function which the remote handed out. */
  invoke(
    id: number,
    args: readonly unknown[],
    functions: readonly FoundFunction[],
    ids: readonly number[],
  ): string;
  /** Tells that this side no longer needs functions; only for remotes that named `release/1`. */
  release(ids: readonly number[]): string;
  /** Tells that functions can no longer be called; only for remotes that named `release/1`. */
  revoke(ids: readonly number[]): string;
}
