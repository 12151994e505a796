import { type DialOptions, dialOver } from "./dial.ts";
import type { Session } from "./session.ts";
import { openSocket } from "./websocket/open_socket.ts";

export type { ClientTransport, DialOptions } from "./dial.ts";

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
  return dialOver(openSocket, url, options);
}
