import { CompactSign, compactVerify } from "jose";
import { formatDuration } from "../protocol/duration.ts";
import { KiteError } from "../protocol/errors.ts";
import { checkSignable, type JwtClaims, type SignableClaims } from "./claims.ts";
import type { KeyAlgorithm, PrivateKey, PublicKey } from "./keys.ts";
import { badBase64At, readTokenClaims, refusal, splitToken } from "./token_text.ts";

export { readTokenClaims, refusal };

/** A parsed token whose signature and claims are not verified. */
export interface UnverifiedToken {
  /** The encoded token. */
  readonly text: string;
  /** The `alg` of its header, one of those allowed. */
  readonly algorithm: KeyAlgorithm;
  /** The unverified claims. */
  readonly claims: JwtClaims;
}

/**
 * Parses a token and rejects algorithms that are not `allowed`. Reads only `alg` and `crit` from the
 * header: keys that the token contains or links to are ignored.
 *
 * @throws {KiteError} `authenticationError`, worded as in the Go kite where possible.
 */
export function parseToken(text: string, allowed: readonly KeyAlgorithm[]): UnverifiedToken {
  const { header, claims } = splitToken(text);
  const algorithm = allowed.find((each) => each === header.alg);
  if (algorithm === undefined) throw refusal("invalid signing method");
  if (header.crit !== undefined) throw refusal("critical token headers are not supported");
  return { text, algorithm, claims };
}

/** True if `key` signed the token; false for a key with another algorithm. */
export async function hasSignatureOf(token: UnverifiedToken, key: PublicKey): Promise<boolean> {
  if (key.algorithm !== token.algorithm) return false;
  // Decoders ignore white space, which would allow many texts for one token.
  if (badBase64At(token.text.slice(token.text.lastIndexOf(".") + 1)) !== -1) return false;
  try {
    await compactVerify(token.text, key.key, { algorithms: [key.algorithm] });
    return true;
  } catch {
    // For any other reason, too, the signature does not count.
    return false;
  }
}

/**
 * Checks `exp`, `nbf` and `iat`, if present.
 *
 * @param now The current time, milliseconds since 1970.
 * @param tolerance The accepted clock difference, milliseconds.
 * @throws {KiteError} `authenticationError`, worded as in the Go kite.
 */
export function checkTimes(claims: JwtClaims, now: number, tolerance: number): void {
  const { exp, nbf, iat } = claims;
  if (nbf !== undefined && now + tolerance < nbf * 1000) throw refusal("token is not valid yet");
  if (iat !== undefined && now + tolerance < iat * 1000) throw refusal("Token used before issued");
  if (exp !== undefined && now - tolerance >= exp * 1000) {
    throw refusal(`token is expired by ${formatDuration(Math.floor(now / 1000 - exp) * 1000)}`);
  }
}

/** Options of {@linkcode signToken}. */
export interface SignOptions {
  /**
   * The `kid` header, which identifies the key.
   *
   * @default none
   */
  readonly keyId?: string;
}

/**
 * Signs claims as a JWT that all kites can read: times are integers, `aud` is one string.
 *
 * @returns The encoded token, `header.claims.signature`.
 * @throws {KiteError} `configError`, naming a claim that a Go kite could not read.
 *
 * @example
 * ```ts
 * import { generateKeyPair, importPrivateKey } from "./keys.ts";
 * import { signToken } from "./jwt.ts";
 *
 * const { privateKey } = await generateKeyPair();
 * const now = Math.floor(Date.now() / 1000);
 * const token = await signToken(
 *   { iss: "kontrol", sub: "alice", aud: "/bob/prod/math", iat: now, exp: now + 3600 },
 *   await importPrivateKey(privateKey),
 * );
 * console.assert(token.split(".").length === 3);
 * ```
 */
export async function signToken(
  claims: SignableClaims,
  key: PrivateKey,
  options: SignOptions = {},
): Promise<string> {
  checkSignable(claims);
  const { keyId } = options;
  return await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
    .setProtectedHeader({
      alg: key.algorithm,
      typ: "JWT",
      ...(keyId === undefined ? {} : { kid: keyId }),
    })
    .sign(key.key);
}

/** True for an authentication error, whose message may be sent to the caller. */
export function isRefusal(error: unknown): error is KiteError {
  return error instanceof KiteError && error.type === "authenticationError";
}
