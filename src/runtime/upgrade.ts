import { KiteError } from "../protocol/errors.ts";
import { denoNamespace } from "./host.ts";

/** What {@linkcode upgradeWebSocket} gives. */
export interface Upgrade {
  /** The server's end; still connecting, its `open` event comes once `response` has left. */
  readonly socket: WebSocket;
  /** The answer to be returned for the request. */
  readonly response: Response;
}

/** Seconds of silence after which a peer is pinged, and dropped if it does not answer. */
const IDLE_TIMEOUT = 30;

/**
 * Turns a request that asks for it into a WebSocket. The socket may close with any code that can be
 * sent, 1001–1014 included, which a client's socket may not.
 *
 * @throws {KiteError} `protocolError` when the request is no WebSocket handshake, `configError` on a
 * runtime whose requests cannot be upgraded.
 */
export function upgradeWebSocket(request: Request): Upgrade {
  const deno = denoNamespace();
  if (deno === undefined) {
    throw new KiteError(
      "configError",
      "this runtime cannot turn a Request into a WebSocket; serve with Deno",
    );
  }
  try {
    return deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT });
  } catch (cause) {
    throw new KiteError("protocolError", "not a WebSocket handshake", { cause });
  }
}
