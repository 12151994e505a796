/** A name or an address, perhaps with a port: nothing that could change the rest of a URL. */
const HOST = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** A path segment "." or "..", also percent-encoded, or a backslash, which URLs read as a slash. */
const AMBIGUOUS = /(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)|\\/i;

/**
 * Returns the URL of a request. Paths that a URL would rewrite are refused: a proxy in front, which
 * may decide by the path as it was sent, must see the same path.
 *
 * @param target the target of the request line
 * @param host the `Host` header; with an invalid one, the URL has `localhost`
 * @returns `undefined` if the target cannot be used
 */
export function requestUrl(
  target: string,
  host: string | null | undefined,
  isSecure: boolean,
): string | undefined {
  if (target.startsWith("/")) {
    const authority = host !== null && host !== undefined && HOST.test(host) ? host : "localhost";
    return checked(`${isSecure ? "https" : "http"}://${authority}`, target);
  }
  const [origin, rest] = splitAbsolute(target);
  return origin === undefined ? undefined : checked(origin, rest);
}

function splitAbsolute(target: string): [origin: string | undefined, rest: string] {
  const [, origin, rest = ""] = /^(https?:\/\/[^/?#\\@]+)((?:[/?].*)?)$/i.exec(target) ?? [];
  return [origin, rest];
}

function checked(origin: string, target: string): string | undefined {
  const [path = ""] = target.split("?", 1);
  if (AMBIGUOUS.test(path) || target.includes("#")) return undefined;
  const url = origin + target;
  return URL.canParse(url) ? url : undefined;
}
