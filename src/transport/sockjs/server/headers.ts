/** The headers that SockJS requires. All functions add to `headers`. */

const YEAR_IN_SECONDS = 31_536_000;
const PLAIN = "text/plain; charset=UTF-8";
const COOKIE = /(?:^|;)\s*JSESSIONID=([\w.!~*'()%+/=-]{1,256})\s*(?:;|$)/;

/** Forbids caching and compression, which would delay small frames. */
export function noCache(headers: Headers): void {
  headers.set("cache-control", "no-store, no-cache, no-transform, must-revalidate, max-age=0");
}

/** Allows caches to keep the answer for a year. */
export function longCache(headers: Headers): void {
  headers.set("cache-control", `public, max-age=${YEAR_IN_SECONDS}`);
  headers.set("expires", new Date(Date.now() + YEAR_IN_SECONDS * 1000).toUTCString());
}

/** Allows any origin, with credentials if the request names its origin. */
export function cors(headers: Headers, request: Request): void {
  const origin = request.headers.get("origin");
  headers.append("vary", "Origin");
  headers.set("access-control-allow-origin", origin ?? "*");
  if (origin !== null) headers.set("access-control-allow-credentials", "true");
}

/** Answers an OPTIONS request. */
export function preflight(request: Request, methods: string): Response {
  const headers = new Headers();
  cors(headers, request);
  longCache(headers);
  headers.set("access-control-allow-methods", methods);
  headers.set("access-control-max-age", String(YEAR_IN_SECONDS));
  const asked = request.headers.get("access-control-request-headers");
  if (asked) headers.set("access-control-allow-headers", asked);
  return new Response(null, { status: 204, headers });
}

/** Sets the cookie by which load balancers distinguish clients: the client's own, or a first one. */
export function sessionCookie(headers: Headers, request: Request): void {
  const value = COOKIE.exec(request.headers.get("cookie") ?? "")?.[1] ?? "dummy";
  headers.set("set-cookie", `JSESSIONID=${value}; path=/`);
}

/** Creates a plain text answer. */
export function plain(status: number, text: string, headers: Headers = new Headers()): Response {
  headers.set("content-type", PLAIN);
  return new Response(text, { status, headers });
}

/** Creates the answer for unknown paths. */
export function notFound(headers?: Headers): Response {
  return plain(404, "404 page not found\n", headers);
}
