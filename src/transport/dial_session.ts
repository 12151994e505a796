import { cannotUse } from "../protocol/refusal.ts";
import { createTrustingClient } from "../runtime/http_client.ts";
import { type DialOptions, dialOver, type Network } from "./dial.ts";
import type { Session } from "./session.ts";
import { openSocket } from "./websocket/open_socket.ts";

export type { ClientTransport, DialOptions } from "./dial.ts";

const NETWORK: Network = Object.freeze({
  headers: headersOf,
  openSocket,
  openHttp: createTrustingClient,
});

/**
 * Dials a session, over the WebSocket that suits this runtime; see {@linkcode dialOver}.
 *
 * @example
 * ```ts ignore
 * const session = await dialSession("http://localhost:3636/kite", { limits: DEFAULT_LIMITS });
 * session.attach({ onMessage: (message) => console.log(message), onClose: () => {} });
 * ```
 */
export function dialSession(url: string | URL, options: DialOptions): Promise<Session> {
  return dialOver(NETWORK, url, options);
}

function headersOf({ headers, origin }: DialOptions): Headers {
  let all: Headers;
  try {
    all = new Headers({ ...headers });
    if (origin !== undefined) all.set("origin", origin);
  } catch {
    // The reason would show the header's value, which may be a secret.
    throw cannotUse("headers or origin", "must be printable text that HTTP allows");
  }
  return all;
}
