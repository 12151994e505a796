const CODES: ReadonlySet<unknown> = new Set(["ECONNABORTED", "ECONNRESET", "ENOTCONN", "EPROTO"]);

/**
 * True if Deno's `accept` has failed because the client reset its connection before it was accepted,
 * which says nothing about the server.
 */
export function isLostConnection(error: unknown): boolean {
  return error instanceof Error && CODES.has((error as { code?: unknown }).code);
}
