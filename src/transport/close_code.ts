import { KiteError } from "../protocol/errors.ts";
import type { CloseInfo } from "./session.ts";

/** True if a close frame may carry `code` (RFC 6455 7.4): 1004–1006 and 1015 never travel. */
export function isSendable(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/**
 * How a user ends a session.
 *
 * @throws {KiteError} `argumentError` for a code that cannot be sent.
 */
export function closeInfo(code: number = 3000, reason?: string): CloseInfo {
  if (!isSendable(code)) {
    throw new KiteError(
      "argumentError",
      `a session cannot be closed with code ${code}; use 1000, or one from 3000 to 4999`,
    );
  }
  return { code, reason: reason ?? (code === 3000 ? "Go away!" : "") };
}
