import { cannotUse } from "../protocol/refusal.ts";
import type { CloseInfo } from "./session.ts";

/** True if a close frame may contain `code` (RFC 6455 7.4). 1004–1006 and 1015 are never sent. */
export function isSendable(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/**
 * Checks the arguments of `Session.close`.
 *
 * @throws {KiteError} `argumentError` for a code that cannot be sent
 */
export function closeInfo(code: number = 3000, reason?: string): CloseInfo {
  if (!isSendable(code)) {
    const rule = "must be 1000, or an integer from 3000 to 4999";
    throw cannotUse("close code", rule, { value: code, type: "argumentError" });
  }
  return { code, reason: reason ?? (code === 3000 ? "Go away!" : "") };
}
