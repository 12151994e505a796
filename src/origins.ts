import { KiteError } from "./protocol/errors.ts";
import { quote } from "./protocol/quote.ts";
import { cannotUse } from "./protocol/refusal.ts";

/** What a page is called whose browser does not tell its origin. */
const UNKNOWN_ORIGIN = "an unknown origin";

/** Addresses that only this machine or this network reaches. */
const LOCAL_ADDRESS =
  /^(?:0\.|10\.|127\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.)/;
const LOCAL_ADDRESS_V6 = /^(?:::1?$|f[cd]|fe[89ab])/i;
const ADDRESS = /^(?:\d{1,3}\.){3}\d{1,3}$/;
const ADDRESS_V6 = /^[\da-f:]*:[\da-f:]*$/i;

/** An address, or a name that browsers resolve to this machine: no DNS server can redirect it. */
const FIXED_HOST = /^(?:(?:\d{1,3}\.){3}\d{1,3}|\[.*\]|(?:.*\.)?localhost)$/i;

/**
 * Tells web pages of other origins from other callers.
 *
 * A page can make the browser of its visitor call kites on the visitor's machine and network. So
 * methods without authentication of such kites answer pages of other origins only if the owner lists
 * these. Programs are not restricted: they can claim any origin, but have no visitors.
 */
export class Origins {
  readonly #listed: ReadonlySet<string> | undefined;
  readonly #isPublic: boolean;

  /**
   * @param listed the origins that the owner allows; `undefined` if there is no list
   * @param ip the address that the kite listens on
   */
  constructor(listed: readonly string[] | undefined, ip: string) {
    this.#listed = listed === undefined ? undefined : new Set(listed);
    this.#isPublic = isPublicAddress(ip);
  }

  /** True if a page with this request may connect. */
  admits(request: Request): boolean {
    if (this.#listed === undefined) return true;
    const origin = request.headers.get("origin");
    if (origin === null || isSameHost(origin, request)) return true;
    return this.#isListed(origin);
  }

  /**
   * Returns the origin of a page that may call no methods without authentication; `undefined` for
   * every other caller.
   *
   * @param request the request that opened the session
   * @param remoteAddress the address of its sender, `host:port`
   */
  foreign(request: Request, remoteAddress: string): string | undefined {
    const origin = otherOrigin(request);
    if (origin === undefined || this.#isListed(origin)) return undefined;
    // A sender at a public address has reached this kite over the internet, and so could anyone.
    if (this.#isPublic || isPublicAddress(hostOf(remoteAddress))) return undefined;
    return origin;
  }

  #isListed(origin: string): boolean {
    const listed = this.#listed;
    return listed !== undefined && (listed.has("*") || listed.has(origin.toLowerCase()));
  }
}

/** Checks the option `origins`. */
export function checkOrigins(name: string, value: unknown): readonly string[] {
  const origins: unknown[] = Array.isArray(value) ? value : [value];
  return origins.map((origin) => {
    if (origin === "*" || origin === "null") return origin;
    const url = typeof origin === "string" && URL.canParse(origin) ? new URL(origin) : undefined;
    // Other parts, such as a path, would never match.
    if (url !== undefined && url.origin === String(origin).toLowerCase()) return url.origin;
    const rule = 'must be origins such as "https://app.example.com", or "*" for any';
    throw cannotUse(name, rule, { value: origin });
  });
}

/** The origin of a page of another origin than this kite's; `undefined` for every other caller. */
function otherOrigin(request: Request): string | undefined {
  const { headers } = request;
  const origin = headers.get("origin");
  const site = headers.get("sec-fetch-site");
  const isPage = site !== null || (headers.get("user-agent")?.startsWith("Mozilla/") ?? false);
  // Scripts, images and forms of any page cause requests without an origin.
  if (origin === null) {
    const isOwn = !isPage || site === "same-origin" || site === "none";
    return isOwn ? undefined : UNKNOWN_ORIGIN;
  }
  if (isSameHost(origin, request)) {
    // A page's own name may have been made to resolve to this machine (DNS rebinding).
    return isPage && !FIXED_HOST.test(new URL(origin).hostname) ? origin : undefined;
  }
  // A proxy replaces the host; a page cannot set this header on a WebSocket.
  if (!isPage && isSameHost(origin, request, headers.get("x-forwarded-host"))) return undefined;
  return origin;
}

/** True if an origin has the host that the request was sent to. Proxies may change the scheme. */
function isSameHost(
  origin: string,
  request: Request,
  host: string | null = request.headers.get("host") ?? new URL(request.url).host,
): boolean {
  if (host === null || !URL.canParse(origin)) return false;
  const { protocol, host: own } = new URL(origin);
  const target = `${protocol}//${host}`;
  return own !== "" && URL.canParse(target) && new URL(target).host === own;
}

/** False for local addresses, and for everything that is no address. */
function isPublicAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (ADDRESS.test(plain)) return !LOCAL_ADDRESS.test(plain);
  return ADDRESS_V6.test(plain) && !LOCAL_ADDRESS_V6.test(plain) && !/^::ffff:/i.test(plain);
}

/** The host of `host:port`, without the brackets of IPv6. */
function hostOf(address: string): string {
  return address.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
}

/**
 * Creates the error of a page of a foreign origin that calls a method without authentication.
 *
 * @param method the name of the method
 */
export function refuseOrigin(method: string, origin: string): KiteError {
  return new KiteError(
    "notAllowed",
    `Cannot call "${method}" from a page of ${
      quote(origin)
    }: the method has no authentication, and ` +
      "this kite is local; its owner can add the origin to the option origins",
  );
}
