import type { Handler, Method } from "../rpc/method.ts";
import { Heartbeats } from "./heartbeat.ts";

/**
 * Adds the built-in methods of every kite, also in pages: `kite.ping`, `kite.echo` and
 * `kite.heartbeat` (docs/protocol.md §6).
 *
 * @returns a function that stops their timers
 */
export function addBasicBuiltins(
  methods: { handle(name: string, handler: Handler): Method },
): () => void {
  const heartbeats = new Heartbeats();
  methods.handle("kite.ping", () => "pong").disableAuthentication();
  methods.handle("kite.echo", ({ args }) => args.values[0] ?? null).disableAuthentication();
  methods.handle("kite.heartbeat", heartbeats.handle);
  return () => heartbeats.stop();
}
