import { KiteError } from "../protocol/errors.ts";
import { builtinModule } from "./platform.ts";

/**
 * Returns the SHA-1 of an ASCII text in Base64. WebSocket handshakes use it. The web's own digest is
 * asynchronous.
 *
 * @throws {KiteError} `configError` in browsers
 */
export function sha1Base64(text: string): string {
  const crypto = builtinModule("node:crypto");
  if (crypto === undefined) {
    throw new KiteError("configError", "Cannot compute a SHA-1: node:crypto is missing here");
  }
  return crypto.createHash("sha1").update(text).digest("base64");
}
