import { KiteError } from "../../../protocol/errors.ts";
import { type Upgrade, upgradeWebSocket } from "../../../runtime/upgrade.ts";
import { plain } from "./headers.ts";

/** True if the request is for a WebSocket. */
export function wantsWebSocket(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Upgrades the request, or returns the answer that refuses it. */
export function upgrade(request: Request, peer: { upgrade?(): Upgrade }): Upgrade | Response {
  if (!wantsWebSocket(request)) return plain(400, 'Can "Upgrade" only to "WebSocket".\n');
  const connection = request.headers.get("connection")?.toLowerCase().split(/\s*,\s*/) ?? [];
  if (!connection.includes("upgrade")) return plain(400, '"Connection" must be "Upgrade".\n');
  if (request.headers.get("sec-websocket-version") !== "13") {
    const headers = new Headers({ "sec-websocket-version": "13" });
    return plain(426, "This server speaks WebSocket version 13 only.\n", headers);
  }
  try {
    return upgradeWebSocket(request, peer);
  } catch (error) {
    if (error instanceof KiteError && error.type === "protocolError") {
      return plain(400, "Not a valid WebSocket handshake.\n");
    }
    throw error;
  }
}
