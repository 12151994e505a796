import { KiteError } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";

/**
 * The claims of a token or a kite.key (RFC 7519, docs/kontrol-protocol.md §5). Times are seconds
 * since 1970.
 */
export interface JwtClaims {
  /** The issuer: Kontrol's username. */
  readonly iss?: string;
  /** The subject: the username that it authenticates. */
  readonly sub?: string;
  /** The audience: the kites that accept it. */
  readonly aud?: string | readonly string[];
  /** When it expires, seconds. */
  readonly exp?: number;
  /** When it becomes valid, seconds. */
  readonly nbf?: number;
  /** When it was issued, seconds. */
  readonly iat?: number;
  /** The id of the token. */
  readonly jti?: string;
  /** In a kite.key: Kontrol's URL. */
  readonly kontrolURL?: string;
  /** In a kite.key: Kontrol's public key, PEM. */
  readonly kontrolKey?: string;
  /** In a kite.key: true if its Kontrol signs key handovers. */
  readonly keyHandover?: unknown;
  readonly [name: string]: unknown;
}

/** The claims that {@linkcode signToken} accepts. `aud` is one string, as the Go kite requires. */
export type SignableClaims = JwtClaims & { readonly aud?: string };

const STRINGS = ["iss", "sub", "jti", "kontrolURL", "kontrolKey"] as const;
const TIMES = ["exp", "nbf", "iat"] as const;

/**
 * Reads the claims from a parsed JSON value. A registered claim that is null counts as absent.
 *
 * @throws {KiteError} `authenticationError`, naming the claim whose type is wrong.
 */
export function readClaims(value: unknown): JwtClaims {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw bad("token claims are not an object");
  }
  const claims = Object.assign(Object.create(null), value) as Record<string, unknown>;
  for (const name of [...STRINGS, ...TIMES, "aud"]) {
    if (claims[name] === null) delete claims[name];
  }
  for (const name of STRINGS) {
    const claim = claims[name];
    if (claim !== undefined && typeof claim !== "string") {
      throw bad(`token claim "${name}" is not a string`);
    }
  }
  for (const name of TIMES) {
    if (claims[name] !== undefined && !Number.isFinite(claims[name])) {
      throw bad(`token claim "${name}" is not a number`);
    }
  }
  if (claims.aud !== undefined && typeof claims.aud !== "string" && !isStrings(claims.aud)) {
    throw bad('token claim "aud" is neither a string nor an array of strings');
  }
  return Object.freeze(claims);
}

/**
 * Rejects claims that a Go kite cannot read: times that are not integers, an `aud` that is not a
 * string.
 *
 * @throws {KiteError} `configError`, naming the claim.
 */
export function checkSignable(claims: SignableClaims): void {
  for (const name of TIMES) {
    if (claims[name] !== undefined && !Number.isSafeInteger(claims[name])) {
      throw cannotUse(`claim ${name}`, "must be an integer of seconds since 1970");
    }
  }
  for (const name of [...STRINGS, "aud"]) {
    if (claims[name] !== undefined && typeof claims[name] !== "string") {
      throw cannotUse(`claim ${name}`, "must be a string");
    }
  }
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === "string");
}

function bad(message: string): KiteError {
  return new KiteError("authenticationError", message);
}
