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

/** A query, taken apart once for many kites. */
export interface Matcher {
  /** The fields that a kite has to have exactly; what a storage may look up. */
  readonly equal: Partial<KiteIdentity>;
  /**
   * What {@linkcode Matcher.equal} leaves out: the constraint that the version has to fit, if any. Kites
   * are many and versions few, so a storage looks for the versions that fit first.
   */
  readonly fitsVersion: ((version: string) => boolean) | undefined;
  /** False if no kite can match: an id that is no UUID, a character that is never stored. */
  readonly canMatch: boolean;
  /** The whole check. */
  accepts(kite: KiteIdentity): boolean;
}

/**
 * Takes a query apart.
 *
 * @throws {KiteError} `argumentError`: no field is set, or the version is malformed.
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
