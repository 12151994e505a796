import { isConstraint, parseVersionQuery } from "../../src/protocol/constraint.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { IDENTITY_FIELDS, isUuid, type KiteIdentity } from "../../src/protocol/identity.ts";
import {
  isEmptyQuery,
  type KontrolQuery,
  queryMatcher,
  rememberVersions,
} from "../../src/protocol/query.ts";
import { canonicalId, isStorable } from "./check.ts";

/** A parsed query, to match against many kites. */
export interface Matcher {
  /** The fields that must be equal; a storage can look them up in an index. */
  readonly equal: Partial<KiteIdentity>;
  /**
   * The version constraint, if the query has one. Since there are few distinct versions, a storage
   * first finds those that satisfy it.
   */
  readonly fitsVersion: ((version: string) => boolean) | undefined;
  /** False if no kite can match: the ID is not a UUID, or a field contains text that is never stored. */
  readonly canMatch: boolean;
  /** True if a kite matches the whole query. */
  accepts(kite: KiteIdentity): boolean;
}

/**
 * Parses a query.
 *
 * @throws {KiteError} `argumentError`: no field is set, or the version is malformed
 */
export function createMatcher(query: KontrolQuery): Matcher {
  if (isEmptyQuery(query)) throw new KiteError("argumentError", "all query fields are empty");
  const whole: { -readonly [Field in keyof KiteIdentity]?: string } = {};
  for (const field of IDENTITY_FIELDS) {
    const value = query[field] ?? "";
    if (value !== "") whole[field] = field === "id" ? canonicalId(value) : value;
  }
  const { version, ...others } = whole;
  const fitsVersion = version !== undefined && isConstraint(version)
    ? rememberVersions(parseVersionQuery(version))
    : undefined;
  const equal = fitsVersion === undefined ? whole : others;
  const hasFields = queryMatcher(equal);
  const accepts = (kite: KiteIdentity): boolean =>
    hasFields(kite) && (fitsVersion === undefined || fitsVersion(kite.version));
  const canMatch = (whole.id === undefined || isUuid(whole.id)) &&
    Object.values(equal).every(isStorable);
  return { equal, fitsVersion, canMatch, accepts };
}
