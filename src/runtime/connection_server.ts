import { denoNamespace } from "./host.ts";

/** One request on a connection. */
interface RequestEvent {
  readonly request: Request;
  respondWith(response: Response): Promise<void>;
}

/** The HTTP side of one accepted connection. */
export interface HttpConnection {
  /** Resolves with `null` when the connection has ended, or was upgraded. */
  nextRequest(): Promise<RequestEvent | null>;
  close(): void;
}

interface ConnectionServing {
  serveHttp?: (connection: Deno.Conn) => HttpConnection;
}

/**
 * Deno's function that speaks HTTP on one accepted connection, `undefined` where it is missing.
 *
 * `Deno.serve` accepts connections by itself: it closes none that stays silent, and stops for good
 * when the process runs out of file descriptors. `Deno.serveHttp` leaves both to its caller. Deno 2
 * still has it, but no longer in its types.
 */
export function connectionServing(): ((connection: Deno.Conn) => HttpConnection) | undefined {
  const deno = denoNamespace() as ConnectionServing | undefined;
  return typeof deno?.serveHttp === "function" ? deno.serveHttp : undefined;
}
