import { KiteError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { quote } from "./quote.ts";
import { cannotUse } from "./refusal.ts";
import { isThreePartVersion } from "./version.ts";

/** A kite's identity, sent with every call: seven fields, general to specific (docs/protocol.md §3). */
export interface KiteIdentity {
  /** Whose kite it is. */
  readonly username: string;
  /** Such as "production" or "testing". */
  readonly environment: string;
  /** What kind of kite it is; others look for it by this. */
  readonly name: string;
  /** Three numbers, such as 1.0.0, with a prerelease or without. */
  readonly version: string;
  /** Where it runs, such as "europe". */
  readonly region: string;
  /** The name of its machine. */
  readonly hostname: string;
  /** A UUID, new at each start. */
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

/** True for a UUID in its usual form of 36 characters; a kite's `id` is one. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/**
 * The path of a kite: `/username/environment/name/version/region/hostname/id`.
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
 * Reads the path that {@linkcode formatIdentity} writes.
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
  // `id` is the last of the seven, so the six before it are there.
  return checkIdentity(
    { username, environment, name, version, region, hostname, id } as KiteIdentity,
  );
}

/**
 * Checks an identity: no field empty, none holding `/`, none too long, a version of three parts, a
 * UUID for the id.
 *
 * @param nameLength the most characters that a field may have; default: 256
 * @returns the identity that was given
 * @throws {KiteError} `argumentError`, naming the field, what it holds, and what would be right.
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
 * Checks one field of an identity, or of anything else that may become a part of a kite's path.
 *
 * @throws {KiteError} `argumentError`, naming the field, what it holds, and what would be right.
 */
export function validateField(
  field: string,
  value: unknown,
  nameLength: number = DEFAULT_LIMITS.nameLength,
): asserts value is string {
  if (typeof value !== "string") throw wrong(field, value, "must be text");
  if (value === "") throw wrong(field, value, "must not be empty");
  if (value.includes("/")) throw wrong(field, value, 'must be text without "/"');
  if (value.length > nameLength) {
    throw wrong(field, value, `must be text of at most ${nameLength} characters`);
  }
}

/**
 * Reads what a peer says of itself, in a call's `kite` field. A field that is missing or no text
 * becomes `""`, one that is too long is cut: a claim is taken as far as it goes, never refused.
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

/** One character more than is right is kept of a text too long, so that a check still sees it. */
function readField(value: unknown, nameLength: number): string {
  return typeof value === "string" ? value.slice(0, nameLength + 1) : "";
}

function wrong(field: string, value: unknown, rule: string): KiteError {
  return cannotUse(field, rule, { value, type: "argumentError" });
}
