import { CompactSign, compactVerify } from "jose";
import { formatDuration } from "../protocol/duration.ts";
import { KiteError } from "../protocol/errors.ts";
import { checkSignable, type JwtClaims, readClaims, type SignableClaims } from "./claims.ts";
import type { KeyAlgorithm, PrivateKey, PublicKey } from "./keys.ts";

/** A longer text is refused before anything looks into it, characters. */
export const MAX_TOKEN_LENGTH = 16_384;

/** A token as its text claims to be; nothing of it is verified. */
export interface UnverifiedToken {
  /** The whole token. */
  readonly text: string;
  /** The `alg` of its header, one of those allowed. */
  readonly algorithm: KeyAlgorithm;
  /** What it claims. */
  readonly claims: JwtClaims;
}

/**
 * Takes a token apart and refuses every algorithm outside of `allowed`. Of the header only `alg`
 * and `crit` are ever looked at: a key that a token brings along, or points to, counts for nothing.
 *
 * @throws {KiteError} `authenticationError`, in the words of the Go kite where it has any.
 */
export function parseToken(text: string, allowed: readonly KeyAlgorithm[]): UnverifiedToken {
  const { header, claims } = splitToken(text);
  const algorithm = allowed.find((each) => each === header.alg);
  if (algorithm === undefined) throw refusal("invalid signing method");
  if (header.crit !== undefined) throw refusal("critical token headers are not supported");
  return { text, algorithm, claims };
}

/**
 * The claims of a token, **unverified**: for a look at one's own kite.key, never for trust.
 *
 * @throws {KiteError} `authenticationError`, if the text is no JWT.
 */
export function readTokenClaims(text: string): JwtClaims {
  return splitToken(text).claims;
}

/** True if `key` made the token's signature; false for a key of another algorithm. */
export async function hasSignatureOf(token: UnverifiedToken, key: PublicKey): Promise<boolean> {
  if (key.algorithm !== token.algorithm) return false;
  // Decoders pass over white space; one token would then have texts without end.
  if (badBase64At(token.text.slice(token.text.lastIndexOf(".") + 1)) !== -1) return false;
  try {
    await compactVerify(token.text, key.key, { algorithms: [key.algorithm] });
    return true;
  } catch {
    // Whatever the reason, this key does not vouch for this text.
    return false;
  }
}

/**
 * Holds `exp`, `nbf` and `iat`, where present, against the clock.
 *
 * @param now Milliseconds since 1970.
 * @param tolerance How far the clocks may differ, milliseconds.
 * @throws {KiteError} `authenticationError`, in the words of the Go kite.
 */
export function checkTimes(claims: JwtClaims, now: number, tolerance: number): void {
  const { exp, nbf, iat } = claims;
  if (nbf !== undefined && now + tolerance < nbf * 1000) throw refusal("token is not valid yet");
  if (iat !== undefined && now + tolerance < iat * 1000) throw refusal("Token used before issued");
  if (exp !== undefined && now - tolerance >= exp * 1000) {
    throw refusal(`token is expired by ${formatDuration(Math.floor(now / 1000 - exp) * 1000)}`);
  }
}

/** What {@linkcode signToken} may be told beside the claims. */
export interface SignOptions {
  /**
   * The `kid` header: which key signed.
   *
   * @default none
   */
  readonly keyId?: string;
}

/**
 * Signs claims as a JWT that every kite reads: times are integers, `aud` is one string.
 *
 * @returns The compact text, `header.claims.signature`.
 * @throws {KiteError} `configError`, naming the claim that a Go kite could not read.
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

/** An authentication failure; the one who answers puts the authentication type before it. */
export function refusal(message: string, cause?: unknown): KiteError {
  return new KiteError("authenticationError", message, cause === undefined ? {} : { cause });
}

/** True for what {@linkcode refusal} makes: an error whose message is meant for the caller. */
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
    throw refusal(`token ${what} is no JSON`);
  }
}

function decodeBase64Url(segment: string): Uint8Array<ArrayBuffer> {
  const bad = badBase64At(segment);
  if (bad !== -1) throw refusal(`illegal base64 data at input byte ${bad}`);
  const binary = atob(segment.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Where base64url without padding goes wrong, counted as Go does; -1 if nowhere. */
function badBase64At(segment: string): number {
  for (let at = 0; at < segment.length; at++) {
    const code = segment.charCodeAt(at);
    const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isLetter && !isDigit && code !== 0x2d && code !== 0x5f) return at;
  }
  return segment.length % 4 === 1 ? segment.length : -1;
}
