import { isConstraint } from "../../src/protocol/constraint.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { IDENTITY_FIELDS, isUuid, type KiteIdentity } from "../../src/protocol/identity.ts";
import { isEmptyQuery, type KontrolQuery, queryMatcher } from "../../src/protocol/query.ts";
import { canonicalId, isStorable } from "./check.ts";

/** A query, taken apart once for many kites. */
export interface Matcher {
  /** The fields that a kite has to have exactly; what a storage may look up. */
  readonly equal: Partial<KiteIdentity>;
  /** True if {@linkcode Matcher.equal} is not all: the version has to fit a constraint, too. */
  readonly hasConstraint: boolean;
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
  const accepts = queryMatcher(whole);
  const { version, ...others } = whole;
  const hasConstraint = version !== undefined && isConstraint(version);
  const equal = hasConstraint ? others : whole;
  const canMatch = (whole.id === undefined || isUuid(whole.id)) &&
    Object.values(equal).every(isStorable);
  return { equal, hasConstraint, canMatch, accepts };
}
