import type { HttpClient } from "./http_types.ts";

/** The global `fetch`, which shares one pool of connections. */
export function nativeHttpClient(): HttpClient {
  return { fetch: (url, init) => fetch(url, init), close: () => {} };
}
