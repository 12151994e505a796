import { KiteError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { quote } from "./quote.ts";
import { cannotUse } from "./refusal.ts";
import { isThreePartVersion } from "./version.ts";

/** A kite's identity, sent with every call: seven fields, general to specific (docs/protocol.md §3). */
export interface KiteIdentity {
  /** The owner of the kite. */
  readonly username: string;
  /** Such as "production" or "testing". */
  readonly environment: string;
  /** What the kite does; other kites search for it by this name. */
  readonly name: string;
  /** Three numbers, such as 1.0.0, with an optional prerelease. */
  readonly version: string;
  /** Where it runs, such as "europe". */
  readonly region: string;
  /** The host name of its machine. */
  readonly hostname: string;
  /** A UUID, created at each start. */
  readonly id: string;
}

/** The fields of a {@linkcode KiteIdentity}, in the order of its path. */
export const IDENTITY_FIELDS: readonly (keyof KiteIdentity)[] = Object.freeze([
  "username",
  "environment",
  "name",
  "version",
  "region",
  "hostname",
  "id",
]);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** True for a UUID with 36 characters, such as a kite's `id`. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * Formats a kite's path: `/username/environment/name/version/region/hostname/id`.
 *
 * @example
 * ```ts
 * import { formatIdentity, parseIdentity } from "./identity.ts";
 *
 * const path = "/devrim/production/math/1.0.0/europe/host-4/6a1c7a6e-3b5f-4d1c-9c2e-0d1f6b7a8c9d";
 * console.assert(formatIdentity(parseIdentity(path)) === path);
 * ```
 */
export function formatIdentity(identity: KiteIdentity): string {
  let path = "";
  for (const field of IDENTITY_FIELDS) path += `/${identity[field]}`;
  return path;
}

/**
 * Parses a path from {@linkcode formatIdentity}.
 *
 * @throws {KiteError} `argumentError`, naming the field that is wrong.
 */
export function parseIdentity(path: string): KiteIdentity {
  const [before, username, environment, name, version, region, hostname, id, ...more] = path.split(
    "/",
    IDENTITY_FIELDS.length + 2,
  );
  if (before !== "" || id === undefined || more.length > 0) {
    throw new KiteError(
      "argumentError",
      `Cannot read ${quote(path)} as a kite's path: must be /${IDENTITY_FIELDS.join("/")}`,
    );
  }
  // `id` is the last field, so the other six exist.
  return checkIdentity(
    { username, environment, name, version, region, hostname, id } as KiteIdentity,
  );
}

/**
 * Checks an identity. No field may be empty, contain `/` or be too long; the version must have three
 * numbers; the id must be a UUID.
 *
 * @param nameLength the maximum length of a field, 256 characters by default
 * @returns the given identity
 * @throws {KiteError} `argumentError`, naming the field, its value, and what is accepted.
 */
export function checkIdentity(
  identity: KiteIdentity,
  nameLength: number = DEFAULT_LIMITS.nameLength,
): KiteIdentity {
  for (const field of IDENTITY_FIELDS) validateField(field, identity[field], nameLength);
  if (!isThreePartVersion(identity.version)) {
    throw wrong("version", identity.version, "must be a version of three parts such as 1.0.0");
  }
  if (!isUuid(identity.id)) throw wrong("id", identity.id, "must be a UUID");
  return identity;
}

/**
 * Checks one field of an identity, or any other text that becomes part of a kite's path.
 *
 * @throws {KiteError} `argumentError`, naming the field, its value, and what is accepted.
 */
export function validateField(
  field: string,
  value: unknown,
  nameLength: number = DEFAULT_LIMITS.nameLength,
): asserts value is string {
  const isRight = typeof value === "string" && value !== "" && value.length <= nameLength &&
    !value.includes("/");
  if (isRight) return;
  throw wrong(field, value, `must be text of 1 to ${nameLength} characters without "/"`);
}

/**
 * Reads the identity that a peer claims in the `kite` field of a call. Never fails: a missing field,
 * or one that is not a string, becomes `""`; a field that is too long is truncated.
 */
export function readIdentity(
  value: unknown,
  nameLength: number = DEFAULT_LIMITS.nameLength,
): KiteIdentity {
  const claim = (typeof value === "object" && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return {
    username: readField(claim.username, nameLength),
    environment: readField(claim.environment, nameLength),
    name: readField(claim.name, nameLength),
    version: readField(claim.version, nameLength),
    region: readField(claim.region, nameLength),
    hostname: readField(claim.hostname, nameLength),
    id: readField(claim.id, nameLength),
  };
}

/** Keeps one character more than the limit, so that a later check still finds the text too long. */
function readField(value: unknown, nameLength: number): string {
  return typeof value === "string" ? value.slice(0, nameLength + 1) : "";
}

function wrong(field: string, value: unknown, rule: string): KiteError {
  return cannotUse(field, rule, { value, type: "argumentError" });
}
