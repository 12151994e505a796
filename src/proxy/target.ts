/** Characters that RFC 3986 allows in a path and in a query. */
const PATH = /^\/(?:[\w\-.~!$&'()*+,;=:@/]|%[\da-f]{2})*$/i;
const QUERY = /^(?:[\w\-.~!$&'()*+,;=:@/?[\]{}|^`"<>\\]|%[\da-f]{2})*$/i;
/** An encoded dot, slash, backslash or control character, which servers interpret differently. */
const DISGUISED = /%(?:2e|2f|5c|[01][\da-f]|7f)/i;
const LONGEST_TARGET = 8_192;

/** A request target in its parts. */
export interface Target {
  /** The path, with its slash at the beginning. */
  readonly path: string;
  /** The query with its question mark, or `""`. */
  readonly query: string;
}

/**
 * Reads a request target in origin form.
 *
 * @returns `undefined` for any other form, and for a path that two servers might read differently:
 * with dot segments, empty segments, or encoded separators.
 */
export function readTarget(target: string): Target | undefined {
  if (target.length > LONGEST_TARGET) return undefined;
  const mark = target.indexOf("?");
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? "" : target.slice(mark);
  if (!PATH.test(path) || DISGUISED.test(path) || !QUERY.test(query.slice(1))) return undefined;
  const [, ...segments] = path.split("/");
  const isOdd = segments.some((segment, index) =>
    segment === "." || segment === ".." || (segment === "" && index < segments.length - 1)
  );
  return isOdd ? undefined : { path, query };
}
