import { KiteError } from "../protocol/errors.ts";
import { denoNamespace } from "./platform.ts";

/** The part of a `WebSocket` that a server uses. */
export interface ServerSocket {
  /** As `WebSocket.binaryType`. */
  binaryType: string;
  /** Bytes given to `send` that the network has not accepted yet. */
  readonly bufferedAmount: number;
  /** As `WebSocket.readyState`. */
  readonly readyState: number;
  /** Sends a text message. */
  send(text: string): void;
  /** Starts the closing handshake. */
  close(code?: number, reason?: string): void;
  /** Sets the listener of an event; one for each event is enough. */
  addEventListener(type: SocketEvent, listener: EventListenerObject): void;
  /** Removes the listener of an event. */
  removeEventListener(type: SocketEvent, listener: EventListenerObject): void;
}

/** The events of a {@linkcode ServerSocket}. */
export type SocketEvent = "open" | "message" | "close" | "error";

/** A request that was upgraded to a WebSocket. */
export interface Upgrade {
  /** The server's socket. It emits `open` after `response` has been sent. */
  readonly socket: ServerSocket;
  /** The response to return for the request. */
  readonly response: Response;
}

/** Seconds of silence after which a peer is pinged, and disconnected if it does not answer. */
const IDLE_TIMEOUT = 30;

/**
 * Upgrades a request to a WebSocket. Unlike a client's socket, it may also close with the codes from
 * 1001 to 1014.
 *
 * @param peer the sender of the request; Node and Bun need its function `upgrade`
 * @throws {KiteError} `protocolError` if the request is not a WebSocket handshake, `configError` if the
 * runtime cannot upgrade requests
 */
export function upgradeWebSocket(request: Request, peer: { upgrade?(): Upgrade }): Upgrade {
  if (peer.upgrade !== undefined) return peer.upgrade();
  const deno = denoNamespace();
  if (deno === undefined) {
    throw new KiteError(
      "configError",
      "Cannot upgrade to WebSocket: on this runtime, the server must pass `upgrade` to Kite.fetch",
    );
  }
  try {
    return deno.upgradeWebSocket(request, { idleTimeout: IDLE_TIMEOUT });
  } catch (cause) {
    throw new KiteError("protocolError", "Cannot upgrade to WebSocket: not a valid handshake", {
      cause,
    });
  }
}

/** The descriptions of Deno's internal symbols for the idle timeout of a socket. */
const IDLE_TIMEOUT_NAME = "[[idleTimeout]]";
const RESTART_NAME = "[[serverHandleIdleTimeout]]";

/**
 * Stops the idle timer of a socket that has closed.
 *
 * Deno 2.9 leaves that timer running when the connection breaks, or when a message arrives after
 * `close()`; it then keeps the process alive for up to 15 seconds. No public function stops it. This
 * restarts it with a delay of nearly 0, and the timer then ends because the socket is closed.
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

/** The description of Deno's internal symbol for the resource of a socket. */
const RESOURCE_NAME = "[[rid]]";

/**
 * Closes the connection of a socket immediately. Sockets of Node and Bun have a function for it. After `close()`, Deno waits for the peer's close
 * frame without a time limit, which keeps a file descriptor open and the process alive. No public
 * function ends this.
 */
export function terminate(socket: ServerSocket & { terminate?(): void }): void {
  if (socket.terminate !== undefined) return socket.terminate();
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
