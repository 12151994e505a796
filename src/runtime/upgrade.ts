import { KiteError } from "../protocol/errors.ts";
import { denoNamespace } from "./host.ts";

/** The part of a `WebSocket` that a server uses. */
export interface ServerSocket {
  binaryType: string;
  /** Bytes given to `send` and not yet taken by the network. */
  readonly bufferedAmount: number;
  /** As `WebSocket.readyState`. */
  readonly readyState: number;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /** Adds the listener of an event; at most one for each type. */
  addEventListener(type: SocketEvent, listener: EventListenerObject): void;
  removeEventListener(type: SocketEvent, listener: EventListenerObject): void;
}

/** The events of a {@linkcode ServerSocket}. */
export type SocketEvent = "open" | "message" | "close" | "error";

/** What {@linkcode upgradeWebSocket} gives. */
export interface Upgrade {
  /** The server's end; still connecting, its `open` event comes once `response` has left. */
  readonly socket: ServerSocket;
  /** The answer to be returned for the request. */
  readonly response: Response;
}

/** Seconds of silence after which a peer is pinged, and dropped if it does not answer. */
const IDLE_TIMEOUT = 30;

/**
 * Turns a request that asks for it into a WebSocket. The socket may close with any code that can be
 * sent, 1001–1014 included, which a client's socket may not.
 *
 * @param peer who sent the request; on Node and Bun it is needed for the upgrade
 * @throws {KiteError} `protocolError` when the request is no WebSocket handshake, `configError` when
 * it cannot be upgraded.
 */
export function upgradeWebSocket(
  request: Request,
  peer: { upgrade?(): Upgrade },
): Upgrade {
  if (peer.upgrade !== undefined) return peer.upgrade();
  const deno = denoNamespace();
  if (deno === undefined) {
    throw new KiteError(
      "configError",
      "Cannot upgrade a request to a WebSocket: the server passed no upgrade function to Kite.fetch",
    );
  }
  try {
    return deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT });
  } catch (cause) {
    throw new KiteError("protocolError", "not a WebSocket handshake", { cause });
  }
}

/** How Deno names what a socket keeps of its idle timeout. */
const IDLE_TIMEOUT_NAME = "[[idleTimeout]]";
const RESTART_NAME = "[[serverHandleIdleTimeout]]";

/**
 * Stops the timer behind the idle timeout of a socket that has closed.
 *
 * Deno 2.9 leaves that timer running when the connection breaks, or when a message arrives after
 * `close()`; it then keeps the process alive for up to 15 seconds. No public function stops it, but
 * restarting it with no time left does: the timer ends itself once it sees a closed socket.
 */
export function stopIdleTimer(socket: ServerSocket): void {
  const duration = symbolOf(socket, IDLE_TIMEOUT_NAME);
  const restart = symbolOf(Object.getPrototypeOf(socket), RESTART_NAME);
  const internals = socket as unknown as Record<symbol, unknown>;
  if (duration === undefined || restart === undefined) return;
  const run = internals[restart];
  if (typeof run !== "function") return;
  internals[duration] = Number.MIN_VALUE;
  run.call(socket);
}

/** How Deno names the resource behind a socket. */
const RESOURCE_NAME = "[[rid]]";

/**
 * Drops the connection of a socket at once. Sockets of Node and Bun have a function for it. After `close()`, Deno waits for the peer's close frame
 * for as long as the peer likes, which holds a file descriptor and keeps the process alive; no public
 * function ends that.
 */
export function terminate(socket: ServerSocket & { terminate?(): void }): void {
  if (typeof socket.terminate === "function") return socket.terminate();
  const deno: unknown = denoNamespace();
  const name = symbolOf(socket, RESOURCE_NAME);
  if (!hasInternals(deno) || name === undefined) return;
  const resource = (socket as unknown as Record<symbol, unknown>)[name];
  const scope = deno[deno.internal];
  if (typeof resource === "number") scope?.core?.tryClose?.(resource);
}

interface Internals {
  readonly internal: symbol;
  readonly [scope: symbol]: { core?: { tryClose?: (resource: number) => void } } | undefined;
}

function hasInternals(deno: unknown): deno is Internals {
  return typeof deno === "object" && deno !== null && "internal" in deno &&
    typeof deno.internal === "symbol";
}

function symbolOf(owner: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(owner).find((symbol) => symbol.description === description);
}
