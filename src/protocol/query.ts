import { parseVersionQuery, type VersionMatcher } from "./constraint.ts";
import { KiteError } from "./errors.ts";
import { IDENTITY_FIELDS, type KiteIdentity } from "./identity.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { quote } from "./quote.ts";

/**
 * Which kites are meant: those that have each given field as it is given. `version` may be a
 * constraint. A field that is missing or `""` may be anything.
 */
export type KontrolQuery = Partial<KiteIdentity>;

/** True if a query gives no field, and so would mean every kite there is. */
export function isEmptyQuery(query: KontrolQuery): boolean {
  return IDENTITY_FIELDS.every((field) => (query[field] ?? "") === "");
}

/**
 * Reads a query that a peer sent, leaving out the fields that it did not set (Go sends them as `""`)
 * and whatever else came along.
 *
 * @throws {KiteError} `argumentError`: it is no object, no field is set, a field is no text, is too
 * long or holds `/`, or the version is neither a version nor a constraint.
 */
export function readQuery(
  value: unknown,
  nameLength: number = DEFAULT_LIMITS.nameLength,
): KontrolQuery {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new KiteError(
      "argumentError",
      `the query is ${quote(value)}; right is an object with any of ${IDENTITY_FIELDS.join(", ")}`,
    );
  }
  const given = value as Partial<Record<keyof KiteIdentity, unknown>>;
  const query: { -readonly [Field in keyof KiteIdentity]?: string } = {};
  for (const field of IDENTITY_FIELDS) {
    const text = Object.hasOwn(given, field) ? given[field] : undefined;
    if (text === undefined || text === null || text === "") continue;
    query[field] = readField(field, text, nameLength);
  }
  if (isEmptyQuery(query)) throw new KiteError("argumentError", "all query fields are empty");
  if (query.version !== undefined) parseVersionQuery(query.version);
  return query;
}

/** Answers of a version check that are remembered by one matcher. */
const MOST_VERSIONS = 1_000;

/**
 * Remembers what a check says of each version: many kites share few of them.
 *
 * @example
 * ```ts
 * import { parseVersionQuery, type VersionMatcher } from "./constraint.ts";
 * import { rememberVersions } from "./query.ts";
 *
 * const fits = rememberVersions(parseVersionQuery("~> 1.2"));
 * console.assert(fits("1.3.0") && !fits("2.0.0"));
 * ```
 */
export function rememberVersions(fits: VersionMatcher): VersionMatcher {
  const known = new Map<string, boolean>();
  return (version) => {
    let answer = known.get(version);
    if (answer === undefined) {
      answer = fits(version);
      if (known.size < MOST_VERSIONS) known.set(version, answer);
    }
    return answer;
  };
}

/**
 * Makes the check of a query once, for many kites.
 *
 * @throws {KiteError} `argumentError`: its version is neither a version nor a constraint.
 */
export function queryMatcher(query: KontrolQuery): (identity: KiteIdentity) => boolean {
  const wanted = IDENTITY_FIELDS.filter((field) => (query[field] ?? "") !== "")
    .filter((field) => field !== "version");
  const { version = "" } = query;
  const versionFits = version === "" ? undefined : rememberVersions(parseVersionQuery(version));
  return (identity) => {
    for (const field of wanted) if (identity[field] !== query[field]) return false;
    return versionFits === undefined || versionFits(identity.version);
  };
}

function readField(field: string, value: unknown, nameLength: number): string {
  if (typeof value === "string" && value.length <= nameLength && !value.includes("/")) return value;
  throw new KiteError(
    "argumentError",
    `the query's ${field} is ${
      quote(value)
    }; right is text of at most ${nameLength} characters without "/"`,
  );
}
