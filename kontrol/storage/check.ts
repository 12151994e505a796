import { KiteError } from "../../src/protocol/errors.ts";
import { IDENTITY_FIELDS, isUuid, validateField } from "../../src/protocol/identity.ts";
import { quote } from "../../src/protocol/quote.ts";
import type { KeyPair, Registration, StoredKeyPair } from "./storage.ts";

const MAX_URL_LENGTH = 8_192;

/** The form in which ids are kept and compared: PostgreSQL gives UUIDs in lower case. */
export function canonicalId(id: string): string {
  return id.toLowerCase();
}

/** A checked copy of `registration`, its ids canonical. Throws an `argumentError` naming the field. */
export function checkRegistration(registration: Registration): Registration {
  const { kite, url, keyId } = registration;
  for (const field of IDENTITY_FIELDS) {
    validateField(field, kite[field]);
    checkStorable(field, kite[field]);
  }
  if (typeof url !== "string" || url === "") throw argumentError("url is empty; it needs a value");
  if (url.length > MAX_URL_LENGTH) {
    throw argumentError(`url has ${url.length} characters; at most ${MAX_URL_LENGTH} are right`);
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

/** A checked copy of `pair`: id canonical, keys without the white space around them. */
export function checkKeyPair(pair: KeyPair): KeyPair {
  const id = checkId("the key pair's id", pair.id);
  const checked = { id, public: pair.public.trim(), private: pair.private.trim() };
  if (checked.public === "") throw argumentError(`the key pair ${id} has no public key`);
  if (checked.private === "") throw argumentError(`the key pair ${id} has no private key`);
  checkStorable("the public key", checked.public);
  checkStorable("the private key", checked.private);
  return checked;
}

/** The error for an id under which a kite of another user lives. */
export function idTakenError(id: string): KiteError {
  return argumentError(`the id ${id} belongs to a kite of another user`, "idTaken");
}

/** The error for a registration under a key pair that the storage does not have. */
export function missingKeyPairError(keyId: string): KiteError {
  return argumentError(`keyId: there is no key pair ${keyId}; add it first`, "noKeyPair");
}

/** What is there already when `pair` is added: the same public key, or the id of another pair. */
export function checkKnownPair(pair: KeyPair, known: StoredKeyPair | undefined): StoredKeyPair {
  if (known?.public === pair.public) return known;
  throw argumentError(`the id or the private key of the key pair ${pair.id} is another pair's`);
}

/** Invites that wait to be redeemed, at most. */
export const MOST_INVITES = 10_000;

/** The error for one more invite than a storage keeps. */
export function tooManyInvites(): KiteError {
  const message =
    `Cannot add an invite: ${MOST_INVITES} are waiting already, the most there may be`;
  return new KiteError("limitError", message);
}

function checkId(field: string, id: string): string {
  if (!isUuid(id)) throw argumentError(`${field}: ${quote(id)} is not right; it takes a UUID`);
  return canonicalId(id);
}

/** PostgreSQL keeps no NUL, and none of them keeps half a surrogate pair. */
export function isStorable(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}

function checkStorable(field: string, text: string): void {
  if (!isStorable(text)) {
    throw argumentError(`${field} holds a character that cannot be stored (NUL, half a surrogate)`);
  }
}

function argumentError(message: string, code = ""): KiteError {
  return new KiteError("argumentError", message, { code });
}
