import { parseVersionQuery, type VersionMatcher } from "./constraint.ts";
import { KiteError } from "./errors.ts";
import { IDENTITY_FIELDS, type KiteIdentity, validateField } from "./identity.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { cannotUse, unknownName } from "./refusal.ts";

/**
 * Selects kites by the fields of their identity. `version` may be a constraint. A field that is
 * missing or `""` matches any value.
 */
export type KontrolQuery = Partial<KiteIdentity>;

/** True if a query sets no field, so that it would match every kite. */
export function isEmptyQuery(query: KontrolQuery): boolean {
  return IDENTITY_FIELDS.every((field) => (query[field] ?? "") === "");
}

/**
 * Reads a query from a peer. Drops unset fields (Go sends them as `""`) and unknown ones.
 *
 * @throws {KiteError} `argumentError` if it is not an object or sets no field, if a field is not a
 * string, is too long or contains `/`, or if the version is neither a version nor a constraint.
 */
export function readQuery(value: unknown, nameLength?: number): KontrolQuery {
  const query = readFields(value, nameLength);
  if (query.version !== undefined) parseVersionQuery(query.version);
  return query;
}

/**
 * Reads a query of the user like {@linkcode readQuery}, but leaves the check of the version to Kontrol.
 * Refuses unknown fields: without a misspelt field, the query would match more kites.
 */
export function readQueryFields(value: unknown): KontrolQuery {
  for (const field of Object.keys(typeof value === "object" && value !== null ? value : {})) {
    if ((IDENTITY_FIELDS as readonly string[]).includes(field)) continue;
    throw unknownName("query field", field, IDENTITY_FIELDS, "argumentError");
  }
  return readFields(value);
}

function readFields(value: unknown, nameLength: number = DEFAULT_LIMITS.nameLength): KontrolQuery {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const rule = `must be an object with any of ${IDENTITY_FIELDS.join(", ")}`;
    throw cannotUse("query", rule, { value, type: "argumentError" });
  }
  const given = value as Partial<Record<keyof KiteIdentity, unknown>>;
  const query: { -readonly [Field in keyof KiteIdentity]?: string } = {};
  for (const field of IDENTITY_FIELDS) {
    const text = Object.hasOwn(given, field) ? given[field] : undefined;
    if (text === undefined || text === null || text === "") continue;
    validateField(`query field ${field}`, text, nameLength);
    query[field] = text;
  }
  if (isEmptyQuery(query)) throw new KiteError("argumentError", "all query fields are empty");
  return query;
}

/** The maximum number of results that one matcher caches. */
const MOST_VERSIONS = 1_000;

/**
 * Caches the result of a check per version, since many kites share few versions.
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
 * Compiles a query into a check for many kites.
 *
 * @throws {KiteError} `argumentError` if its version is neither a version nor a constraint.
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
