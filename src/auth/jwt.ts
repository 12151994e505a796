import { CompactSign, compactVerify } from "jose";
import { formatDuration } from "../protocol/duration.ts";
import { KiteError } from "../protocol/errors.ts";
import { checkSignable, type JwtClaims, readClaims, type SignableClaims } from "./claims.ts";
import type { KeyAlgorithm, PrivateKey, PublicKey } from "./keys.ts";

/** The maximum length of a token, characters. A longer text is rejected before it is parsed. */
export const MAX_TOKEN_LENGTH = 16_384;

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

/**
 * Returns the **unverified** claims of a token, for example of one's own kite.key. Do not use them to
 * authenticate a caller.
 *
 * @throws {KiteError} `authenticationError` if the text is not a JWT.
 */
export function readTokenClaims(text: string): JwtClaims {
  return splitToken(text).claims;
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

/** Creates an authentication error. The answer adds the authentication type before the message. */
export function refusal(message: string, cause?: unknown): KiteError {
  return new KiteError("authenticationError", message, cause === undefined ? {} : { cause });
}

/** True for an authentication error, whose message may be sent to the caller. */
export function isRefusal(error: unknown): error is KiteError {
  return error instanceof KiteError && error.type === "authenticationError";
}

function splitToken(text: string): { header: Record<string, unknown>; claims: JwtClaims } {
  if (typeof text !== "string") throw refusal("token is not a string");
  if (text.length > MAX_TOKEN_LENGTH) {
    throw refusal(`token is longer than ${MAX_TOKEN_LENGTH} characters`);
  }
  const [head, body, signature, ...rest] = text.split(".", 4);
  if (head === undefined || body === undefined || signature === undefined || rest.length > 0) {
    throw refusal("token contains an invalid number of segments");
  }
  const header = decodeSegment(head, "header");
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw refusal("token header is not an object");
  }
  const claims = readClaims(decodeSegment(body, "claims"));
  return { header: Object.assign(Object.create(null), header), claims };
}

function decodeSegment(segment: string, what: "header" | "claims"): unknown {
  const bytes = decodeBase64Url(segment);
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // The parser's own message would quote the token.
    throw refusal(`token ${what} is not JSON`);
  }
}

function decodeBase64Url(segment: string): Uint8Array<ArrayBuffer> {
  const bad = badBase64At(segment);
  if (bad !== -1) throw refusal(`illegal base64 data at input byte ${bad}`);
  const binary = atob(segment.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Returns the first invalid position of a base64url text without padding, as Go counts; else -1. */
function badBase64At(segment: string): number {
  for (let at = 0; at < segment.length; at++) {
    const code = segment.charCodeAt(at);
    const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isLetter && !isDigit && code !== 0x2d && code !== 0x5f) return at;
  }
  return segment.length % 4 === 1 ? segment.length : -1;
}
