import { KiteError } from "../../../protocol/errors.ts";
import type { Limits } from "../../../protocol/limits.ts";
import { type Upgrade, upgradeWebSocket } from "../../../runtime/upgrade.ts";
import { AcceptedSocket } from "../../websocket/accepted_socket.ts";
import { answerHandshake, isHandshakeKey } from "../../websocket/accept.ts";
import type { MessageSocket, SocketHandler } from "../../websocket/socket.ts";
import { plain } from "./headers.ts";
import type { ServerPeer } from "./options.ts";
import { frameLimit } from "./incoming_bytes.ts";

/** A request that becomes a WebSocket. */
export interface UpgradedRequest {
  /** The response to return for the request. */
  readonly response: Response;
  /** Creates the socket. Call it once. */
  open(handler: SocketHandler, limits: Limits): MessageSocket;
}

/** True if the request is for a WebSocket. */
export function wantsWebSocket(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Upgrades the request, or returns the answer that refuses it. */
export function upgrade(request: Request, peer: ServerPeer): UpgradedRequest | Response {
  if (!wantsWebSocket(request)) return plain(400, 'Can "Upgrade" only to "WebSocket".\n');
  const connection = request.headers.get("connection")?.toLowerCase().split(/\s*,\s*/) ?? [];
  if (!connection.includes("upgrade")) return plain(400, '"Connection" must be "Upgrade".\n');
  if (request.headers.get("sec-websocket-version") !== "13") {
    const headers = new Headers({ "sec-websocket-version": "13" });
    return plain(426, "This server speaks WebSocket version 13 only.\n", headers);
  }
  if (peer.takeOver === undefined) return upgradeByRuntime(request, peer);
  const key = request.headers.get("sec-websocket-key");
  const taken = key !== null && isHandshakeKey(key) ? peer.takeOver() : undefined;
  return taken === undefined ? invalid() : {
    response: new Response(null),
    open: (handler, limits) => {
      const { outgoingBytes } = limits;
      const options = { isServer: true, maxBytes: frameLimit(limits), outgoingBytes };
      const { stream, early } = taken;
      const socket = answerHandshake(stream, key!, options, handler);
      if (early.length > 0) socket.onData(early);
      return socket;
    },
  };
}

function upgradeByRuntime(
  request: Request,
  peer: { upgrade?(): Upgrade },
): UpgradedRequest | Response {
  try {
    const { socket, response } = upgradeWebSocket(request, peer);
    return {
      response,
      open: (handler, limits) => new AcceptedSocket(socket, frameLimit(limits), handler),
    };
  } catch (error) {
    if (!(error instanceof KiteError)) throw error;
    // A kite within another server may be unable to upgrade; clients then use XHR polling.
    return error.type === "configError" ? plain(501, `${error.message}\n`) : invalid();
  }
}

function invalid(): Response {
  return plain(400, "Not a valid WebSocket handshake.\n");
}
