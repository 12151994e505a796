import { KiteError } from "../protocol/errors.ts";
import type { CloseInfo } from "../transport/session.ts";

/** Creates the error of calls that are waiting when the session ends. */
export function disconnected(info?: CloseInfo): KiteError {
  const why = info === undefined ? "" : `: ${describeEnd(info)}`;
  return new KiteError("disconnect", `Remote kite has disconnected${why}`);
}

/** Describes how a session ended: `connection lost: 1006, no answer to a ping`. */
export function describeEnd({ code, reason }: CloseInfo): string {
  const how = code === 1006 ? "connection lost" : "connection closed";
  return reason === "" ? `${how}: ${code}` : `${how}: ${code}, ${reason.slice(0, 200)}`;
}
