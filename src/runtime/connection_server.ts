import { denoNamespace } from "./platform.ts";

/** One request on a connection. */
interface RequestEvent {
  readonly request: Request;
  respondWith(response: Response): Promise<void>;
}

/** The HTTP side of one accepted connection. */
export interface HttpConnection {
  /** Resolves with `null` if the connection has ended or was upgraded. */
  nextRequest(): Promise<RequestEvent | null>;
  close(): void;
}

interface ConnectionServing {
  serveHttp?: (connection: Deno.Conn) => HttpConnection;
}

/**
 * Returns Deno's function that serves HTTP on one accepted connection; `undefined` if it is missing.
 *
 * `Deno.serve` accepts connections itself. It never closes silent ones, and stops permanently when
 * the process runs out of file descriptors. With `Deno.serveHttp`, the caller controls both. Deno 2
 * still has this function, but not in its types.
 */
export function connectionServing(): ((connection: Deno.Conn) => HttpConnection) | undefined {
  const deno = denoNamespace() as ConnectionServing | undefined;
  return typeof deno?.serveHttp === "function" ? deno.serveHttp : undefined;
}
