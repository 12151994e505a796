import { KiteError, messageOf } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Limits } from "../protocol/limits.ts";
import type { CloseInfo } from "../transport/session.ts";
import type { TotalInFlight } from "./in_flight.ts";
import type { IncomingCall, KiteRequest } from "./request.ts";

/** What a conversation needs from the kite that it speaks for. */
export interface ConversationHost {
  /** What this kite says of itself. */
  readonly identity: KiteIdentity;
  /** The bounds that every conversation of the kite keeps. */
  readonly limits: Limits;
  /** Milliseconds; for calls that name none of their own. */
  readonly timeout: number;
  /** Offer compact messages to remotes. */
  readonly compact: boolean;
  /** Counts the bytes in flight of all conversations. */
  readonly inFlight: TotalInFlight;
  /** Serves a request: gives the result, or throws the error. */
  serve(request: IncomingCall): unknown;
  /** Logs what went wrong without anyone to answer to. Must not throw. */
  report(what: string, error?: unknown): void;
  /** Logs calls. */
  readonly callLog: CallLog;
}

/** Logs the calls that a kite serves. Must not throw. */
export interface CallLog {
  /** True if each call is to be told of with {@linkcode CallLog.ended}. */
  readonly isVerbose: boolean;
  /**
   * A call has its outcome.
   *
   * @param startedAt `performance.now()` when the call came
   * @param error what it failed with; undefined after success
   */
  ended(request: KiteRequest, startedAt: number, error?: unknown): void;
  /**
   * A call failed.
   *
   * @param isAnswered whether the caller is told
   */
  failed(request: KiteRequest, error: unknown, isAnswered: boolean): void;
}

/** What everything that waits for the remote fails with when the session ends. */
export function disconnected(info?: CloseInfo): KiteError {
  const why = info === undefined ? "" : `: ${describeEnd(info)}`;
  return new KiteError("disconnect", `Remote kite has disconnected${why}`);
}

/** How a session ended, in words: `connection lost: 1006, no answer to a ping`. */
export function describeEnd({ code, reason }: CloseInfo): string {
  const how = code === 1006 ? "connection lost" : "connection closed";
  return reason === "" ? `${how}: ${code}` : `${how}: ${code}, ${reason.slice(0, 200)}`;
}

/** What was thrown, as an error with a type. */
export function asKiteError(error: unknown, type: "argumentError" | "genericError"): KiteError {
  if (error instanceof KiteError) return error;
  return new KiteError(type, messageOf(error), { cause: error });
}
