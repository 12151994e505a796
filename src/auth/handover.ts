import type { KiteError } from "../protocol/errors.ts";
import type { JwtClaims } from "./claims.ts";
import { checkTimes, hasSignatureOf, parseToken, refusal, signToken } from "./jwt.ts";
import { canonicalPublicKey, importPublicKey, KEY_ALGORITHMS, type PrivateKey } from "./keys.ts";
import { clip } from "./text.ts";

/** Seconds until a handover expires. It is signed for one answer and used immediately. */
const LIFETIME = 3_600;

/** Accepted difference between the clocks of two machines, seconds. */
const LEEWAY = 300;

/** The content of a key handover, see {@linkcode signKeyHandover}. */
export interface KeyHandoverOptions {
  /** Kontrol's username. */
  readonly kontrolUser: string;
  /** The private key that is replaced. */
  readonly formerKey: PrivateKey;
  /** The public key that replaces it, PEM. */
  readonly nextKey: string;
}

/** The values that {@linkcode verifyKeyHandover} expects in a handover. */
export interface KeyHandoverCheck {
  /** The username of our Kontrol; `""` if unknown. */
  readonly kontrolUser: string;
  /** The currently trusted public key, PEM. */
  readonly currentKey: string;
  /** The public key offered as its replacement, PEM. */
  readonly nextKey: string;
}

/**
 * Signs a key handover: a JWT in which the former key of a Kontrol names the key that replaces it
 * (docs/kontrol-protocol.md §6). It has neither `sub` nor `aud`, so that no verifier accepts it as a
 * token or a kite.key.
 */
export async function signKeyHandover(options: KeyHandoverOptions): Promise<string> {
  const { kontrolUser, formerKey, nextKey } = options;
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: kontrolUser, nextKey, iat: now - LEEWAY, exp: now + LIFETIME + LEEWAY };
  return await signToken(claims, formerKey);
}

/**
 * Checks that a handover names the offered key and was signed by the currently trusted key.
 *
 * @throws {KiteError} `authenticationError` with the reason if the handover is not valid.
 */
export async function verifyKeyHandover(text: string, check: KeyHandoverCheck): Promise<void> {
  const { kontrolUser, currentKey, nextKey } = check;
  const token = parseToken(text, KEY_ALGORITHMS);
  const { claims } = token;
  if (!await hasSignatureOf(token, await importPublicKey(currentKey))) {
    throw refusal("the handover is not signed by the current key");
  }
  if (claims.sub !== undefined || claims.aud !== undefined || claims.exp === undefined) {
    throw refusal("the text is not a handover");
  }
  if (kontrolUser !== "" && claims.iss !== kontrolUser) {
    throw refusal(`the handover has another issuer: ${clip(claims.iss ?? "")}`);
  }
  checkTimes(claims, Date.now(), LEEWAY * 1000);
  if (!namesKey(claims, nextKey)) throw refusal("the handover names another key");
}

function namesKey({ nextKey: named }: JwtClaims, nextKey: string): boolean {
  return typeof named === "string" && canonicalPublicKey(named) === canonicalPublicKey(nextKey);
}

/** Creates the error for new keys that cannot be verified. */
export function unvouchedKey(why: string, cause?: unknown): KiteError {
  return refusal(`Cannot trust the new key from Kontrol: ${why}`, cause);
}
