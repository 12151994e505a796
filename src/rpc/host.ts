import { KiteError, messageOf } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Limits } from "../protocol/limits.ts";
import type { NewCompactCodec } from "./compact_codec.ts";
import type { TotalInFlight } from "./in_flight.ts";
import type { IncomingCall, KiteRequest } from "./request.ts";

/** The parts of a kite that its conversations use. */
export interface ConversationHost {
  /** The identity of this kite, sent with every call. */
  readonly identity: KiteIdentity;
  /** The limits of each conversation of the kite. */
  readonly limits: Limits;
  /** The default timeout of calls, milliseconds. */
  readonly timeout: number;
  /** Whether to offer compact messages to remotes. */
  readonly compact: boolean;
  /** Creates the codecs of compact messages; undefined if the kite has none. */
  readonly newCompactCodec: NewCompactCodec | undefined;
  /** Counts the bytes in flight of all conversations. */
  readonly inFlight: TotalInFlight;
  /** Serves a request: returns the result or throws the error. */
  serve(request: IncomingCall): unknown;
  /** Logs an error that is not the answer to a call. Must not throw. */
  report(what: string, error?: unknown): void;
  /** Logs calls. */
  readonly callLog: CallLog;
}

/** Logs the calls that a kite serves. Must not throw. */
export interface CallLog {
  /** True if {@linkcode CallLog.ended} must be called for each call. */
  readonly isVerbose: boolean;
  /**
   * Called when a call has ended.
   *
   * @param startedAt `performance.now()` when the call arrived
   * @param error the error of the call; undefined after success
   */
  ended(request: KiteRequest, startedAt: number, error?: unknown): void;
  /**
   * Called when a call has failed.
   *
   * @param isAnswered true if the error is sent to the caller
   */
  failed(request: KiteRequest, error: unknown, isAnswered: boolean): void;
}

/** Returns a `KiteError` unchanged, and wraps any other thrown value in one of the given type. */
export function asKiteError(error: unknown, type: "argumentError" | "genericError"): KiteError {
  if (error instanceof KiteError) return error;
  return new KiteError(type, messageOf(error), { cause: error });
}
