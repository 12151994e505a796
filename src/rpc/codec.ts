import type { FoundFunction } from "../dnode/scrub.ts";
import type { KiteErrorType } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Metadata } from "./metadata.ts";

/**
 * A caller's credentials: the name of an authenticator and the key for it (docs/protocol.md §3).
 */
export interface Authentication {
  /** `token`, `kiteKey`, or the type of an authenticator that the owner added. */
  readonly type: string;
  /** The JWT, or another text for the authenticator of that type. */
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
  /** The functions in `args`, with their paths within `args`. */
  readonly functions: readonly FoundFunction[];
  readonly ids: readonly number[];
  /** Milliseconds that the caller waits; 0 or `Infinity` for no limit. */
  readonly timeout?: number;
  readonly meta?: Metadata | undefined;
  /** The names of this side's extensions as JSON, if they were not sent yet. */
  readonly can?: string | undefined;
}

/** The invocation of a function that this side sent, or of the callback for an answer. */
export interface IncomingInvoke {
  readonly kind: "invoke";
  readonly id: number;
  readonly args: unknown[];
}

/** A message that cannot be read. */
export interface IncomingBroken {
  readonly kind: "broken";
  readonly type: KiteErrorType;
  readonly reason: string;
  /** The id to answer to, if it is known. */
  readonly responseId?: number | undefined;
  /** The id of this side's call that the message was meant to answer, if it is known. */
  readonly callId?: number;
}

/** A decoded message. */
export type Incoming =
  | IncomingRequest
  | IncomingInvoke
  /** The result of a call of this side. */
  | { readonly kind: "result"; readonly id: number; readonly result: unknown }
  /** The error of a call of this side, unchecked. */
  | { readonly kind: "error"; readonly id: number; readonly error: unknown }
  /** The caller cancels the request with this response id. */
  | { readonly kind: "cancel"; readonly id: number }
  /** The remote no longer needs these functions of this side. */
  | { readonly kind: "release"; readonly ids: readonly number[] }
  /** These functions of the remote can no longer be called. */
  | { readonly kind: "revoke"; readonly ids: readonly number[] }
  /** The names of the remote's extensions, unchecked. */
  | { readonly kind: "can"; readonly names: unknown }
  /** The codec has handled the message itself. */
  | { readonly kind: "none" }
  | IncomingBroken;

/**
 * A decoded method call. `kite` and `authentication` are what the caller claims, unchecked. If a
 * caller repeats them, the codec may return the same objects again.
 */
export interface IncomingRequest {
  readonly kind: "request";
  readonly method: string;
  readonly kite: KiteIdentity;
  readonly authentication: Authentication | undefined;
  readonly args: unknown[];
  readonly responseId: number | undefined;
  /** Milliseconds that the caller waits; undefined if it does not say. */
  readonly timeout?: number | undefined;
  readonly meta?: Metadata | undefined;
  /** The names of the caller's extensions, unchecked; undefined if it names none. */
  readonly can?: unknown;
}

/**
 * Encodes messages as text. Decoding is not part of the interface, since the input of each codec
 * differs. A codec belongs to one conversation and may keep state.
 */
export interface Codec {
  /**
   * Encodes the part that all requests of this caller share.
   *
   * @param timeout default timeout of requests, milliseconds
   */
  head(
    kite: KiteIdentity,
    authentication: Authentication | undefined,
    timeout: number,
  ): RequestHead;
  /** Encodes a request. */
  request(request: OutgoingRequest): string;
  /**
   * Encodes a successful answer.
   *
   * @param can the names of this side's extensions as JSON, if they were not sent yet
   */
  result(
    responseId: number,
    result: unknown,
    functions: readonly FoundFunction[],
    ids: readonly number[],
    can?: string,
  ): string;
  /**
   * Encodes an error as an answer.
   *
   * @param can see {@linkcode Codec.result}
   */
  error(responseId: number, error: Readonly<Record<string, unknown>>, can?: string): string;
  /** Encodes the cancellation of a request, for remotes with the extension `cancel/1`. */
  cancel(responseId: number): string;
  /** Encodes the invocation of a function of the remote. */
  invoke(
    id: number,
    args: readonly unknown[],
    functions: readonly FoundFunction[],
    ids: readonly number[],
  ): string;
  /**
   * Encodes that this side no longer needs functions, for remotes with the extension `release/1`.
   */
  release(ids: readonly number[]): string;
  /** Encodes that functions can no longer be called, for remotes with the extension `release/1`. */
  revoke(ids: readonly number[]): string;
}
