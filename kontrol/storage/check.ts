import {
  type Check,
  checkFunction,
  checkOptions,
  checkRange,
  type Checks,
  checkWait,
} from "../../src/config_values.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { IDENTITY_FIELDS, isUuid, validateField } from "../../src/protocol/identity.ts";
import { quote } from "../../src/protocol/quote.ts";
import { cannotUse } from "../../src/protocol/refusal.ts";
import type { KeyPair, Registration, StorageOptions, StoredKeyPair } from "./storage.ts";

const MAX_URL_LENGTH = 8_192;

/** Milliseconds of an interval; 2³¹−1 at most, beyond which timers fire at once. */
export const checkMilliseconds: Check<number> = checkRange(1, 2 ** 31 - 1);

const STORAGE_CHECKS: Checks<StorageOptions> = Object.freeze({
  timeToLive: checkMilliseconds,
  operationTimeout: checkWait,
  onError: checkFunction,
});

/**
 * Checks the options of a storage.
 *
 * @param own the checks of the options that other storages do not have
 * @throws {KiteError} `configError` that names the option
 */
export function checkStorageOptions<Options extends StorageOptions>(
  options: Options,
  own: Checks<Omit<Options, keyof StorageOptions>>,
): void {
  checkOptions("", options, { ...STORAGE_CHECKS, ...own });
}

/** The stored form of an ID: lower case, as PostgreSQL returns UUIDs. */
export function canonicalId(id: string): string {
  return id.toLowerCase();
}

/**
 * Checks a registration.
 *
 * @returns a copy with canonical IDs
 * @throws {KiteError} `argumentError` that names the field
 */
export function checkRegistration(registration: Registration): Registration {
  const { kite, url, keyId } = registration;
  for (const field of IDENTITY_FIELDS) {
    validateField(field, kite[field]);
    checkStorable(field, kite[field]);
  }
  if (typeof url !== "string" || url === "" || url.length > MAX_URL_LENGTH) {
    const rule = `must be text of 1 to ${MAX_URL_LENGTH} characters`;
    throw cannotUse("url", rule, { value: url, type: "argumentError" });
  }
  checkStorable("url", url);
  const { username, environment, name, version, region, hostname } = kite;
  const id = checkId("id", kite.id);
  return {
    kite: { username, environment, name, version, region, hostname, id },
    url,
    keyId: checkId("keyId", keyId),
  };
}

/** Checks a key pair; the copy has a canonical ID and keys without surrounding white space. */
export function checkKeyPair(pair: KeyPair): KeyPair {
  const id = checkId("key pair id", pair.id);
  const checked = { id, public: pair.public.trim(), private: pair.private.trim() };
  for (const half of ["public", "private"] as const) {
    if (checked[half] === "") throw argumentError(`Cannot add key pair ${id}: no ${half} key`);
    checkStorable(`the ${half} key`, checked[half]);
  }
  return checked;
}

/** The error for the ID of a kite of another user. */
export function idTakenError(id: string): KiteError {
  return argumentError(
    `Cannot use id ${quote(id)}: it belongs to a kite of another user`,
    "idTaken",
  );
}

/** The error for a registration whose key pair is not in the storage. */
export function missingKeyPairError(keyId: string): KiteError {
  return argumentError(`Cannot use keyId ${quote(keyId)}: no such key pair`, "noKeyPair");
}

/**
 * Resolves a conflict on adding a key pair.
 *
 * @param known the stored pair with the same public key, private key or ID
 * @returns `known`, if it has the same public key
 * @throws {KiteError} `argumentError` otherwise
 */
export function checkKnownPair(pair: KeyPair, known: StoredKeyPair | undefined): StoredKeyPair {
  if (known?.public === pair.public) return known;
  throw argumentError(
    `Cannot add key pair ${pair.id}: its id or private key belongs to another pair`,
  );
}

/** Maximum number of unused invites. */
export const MAX_INVITES = 10_000;

/** The error for an invite beyond the maximum. */
export function tooManyInvites(): KiteError {
  const message = `Cannot add an invite: ${MAX_INVITES} are waiting already, the most there may be`;
  return new KiteError("limitError", message);
}

function checkId(field: string, id: string): string {
  if (!isUuid(id)) throw cannotUse(field, "must be a UUID", { value: id, type: "argumentError" });
  return canonicalId(id);
}

/** False for text with NUL, which PostgreSQL rejects, or a lone surrogate, which all storages do. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

function checkStorable(field: string, text: string): void {
  if (isStorable(text)) return;
  throw argumentError(`Cannot use ${field}: must not contain NUL or a lone surrogate`);
}

function argumentError(message: string, code = ""): KiteError {
  return new KiteError("argumentError", message, { code });
}
