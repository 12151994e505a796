import { KiteError, messageOf } from "../protocol/errors.ts";
import type { KiteIdentity } from "../protocol/identity.ts";
import type { Limits } from "../protocol/limits.ts";
import type { KiteRequest } from "./request.ts";

/** What a conversation needs from the kite that it speaks for. */
export interface ConversationHost {
  /** What this kite says of itself. */
  readonly identity: KiteIdentity;
  /** The bounds that every conversation of the kite keeps. */
  readonly limits: Limits;
  /** Milliseconds; for calls that name none of their own. */
  readonly timeout: number;
  /** Serves a request: gives the result, or throws the error. */
  serve(request: KiteRequest): unknown;
  /** Hears of what went wrong without anyone to answer to. */
  report(what: string, error?: unknown): void;
}

/** What everything that waited for the remote fails with when the session ends. */
export function disconnected(): KiteError {
  return new KiteError("disconnect", "Remote kite has disconnected");
}

/** What was thrown, as an error with a type. */
export function asKiteError(error: unknown, type: "sendError" | "genericError"): KiteError {
  if (error instanceof KiteError) return error;
  return new KiteError(type, messageOf(error), { cause: error });
}
