import { KiteError } from "../protocol/errors.ts";
import { type JwtClaims, readClaims } from "./claims.ts";

/** The maximum length of a token, characters. A longer text is rejected before it is parsed. */
export const MAX_TOKEN_LENGTH = 16_384;

/**
 * Returns the **unverified** claims of a token, for example of one's own kite.key. Do not use them to
 * authenticate a caller.
 *
 * @throws {KiteError} `authenticationError` if the text is not a JWT.
 */
export function readTokenClaims(text: string): JwtClaims {
  return splitToken(text).claims;
}

/** Creates an authentication error. The answer adds the authentication type before the message. */
export function refusal(message: string, cause?: unknown): KiteError {
  return new KiteError("authenticationError", message, cause === undefined ? {} : { cause });
}

/**
 * Splits a token into its header and claims, both **unverified**.
 *
 * @throws {KiteError} `authenticationError` if the text is not a JWT.
 */
export function splitToken(text: string): { header: Record<string, unknown>; claims: JwtClaims } {
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
export function badBase64At(segment: string): number {
  for (let at = 0; at < segment.length; at++) {
    const code = segment.charCodeAt(at);
    const isLetter = (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
    const isDigit = code >= 0x30 && code <= 0x39;
    if (!isLetter && !isDigit && code !== 0x2d && code !== 0x5f) return at;
  }
  return segment.length % 4 === 1 ? segment.length : -1;
}
