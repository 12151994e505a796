import type { RequestHead } from "../runtime/forwarding/types.ts";

/** Hop-by-hop headers (RFC 9110 7.6.1), and others that a proxy does not forward. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Returns all values of a header. */
export function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const each = rawHeaders[i]!;
    if (each.length === name.length && each.toLowerCase() === name) values.push(rawHeaders[i + 1]!);
  }
  return values;
}

/** Copies headers, except for hop-by-hop headers and those in `besides`. */
export function endToEnd(rawHeaders: readonly string[], ...besides: string[]): string[] {
  const listed = valuesOf(rawHeaders, "connection")
    .flatMap((value) => value.toLowerCase().split(",").map((name) => name.trim()))
    // `Connection` must not remove the headers that frame the body.
    .filter((name) => name !== "content-length");
  const kept: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || besides.includes(name) || listed.includes(name)) continue;
    kept.push(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  return kept;
}

/**
 * Creates the headers of a forwarded request.
 *
 * @param host the value of the `Host` header
 * @param via the name that this proxy adds to `Via`, to detect loops
 */
export function requestHeaders(head: RequestHead, host: string, via: string): string[] {
  const { rawHeaders, isWebSocket, remoteAddress, isSecure } = head;
  const former = valuesOf(rawHeaders, "x-forwarded-for");
  const headers = ["Host", host];
  headers.push(
    ...endToEnd(rawHeaders, "host", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"),
  );
  headers.push(...valuesOf(rawHeaders, "host").flatMap((asked) => ["X-Forwarded-Host", asked]));
  headers.push("X-Forwarded-For", [...former, remoteAddress].join(", "));
  headers.push("X-Forwarded-Proto", isSecure ? "https" : "http", "Via", `1.1 ${via}`);
  if (isWebSocket) headers.push("Connection", "Upgrade", "Upgrade", "websocket");
  // The body gets new framing. Without this header, the body of a GET would have none.
  else if (valuesOf(rawHeaders, "transfer-encoding").length > 0) {
    headers.push("Transfer-Encoding", "chunked");
  }
  return headers;
}

/** True if a request has already passed through the proxy of this name. */
export function hasPassed(rawHeaders: readonly string[], via: string): boolean {
  return valuesOf(rawHeaders, "via").some((value) => value.includes(via));
}
