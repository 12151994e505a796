import { assertInstanceOf, assertRejects } from "@std/assert";
import { TokenVerifier, type TokenVerifierOptions } from "../../src/auth/token.ts";
import type { Verifier } from "../../src/auth/verifier.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { TestKeys } from "../../src/testing/keys.ts";

export const OWN = { username: "testuser", environment: "test", name: "echo" } as const;

/** Seconds since 1970. */
export const seconds = (): number => Math.floor(Date.now() / 1000);

export function tokenVerifier(
  keys: TestKeys,
  options: Partial<TokenVerifierOptions> = {},
): TokenVerifier {
  return new TokenVerifier({
    trustedKeys: () => [keys.pair.publicKey],
    kontrolUser: () => keys.kontrolUser,
    identity: () => OWN,
    ...options,
  });
}

/** The message of the `authenticationError` with which the verifier refuses. */
export async function refusalOf(verifier: Verifier, token: string): Promise<string> {
  const error = await assertRejects(() => verifier.verify(token));
  assertInstanceOf(error, KiteError);
  if (error.type !== "authenticationError") throw error;
  return error.message;
}

/** A JSON value as a segment of a JWT. */
export function segment(value: unknown): string {
  return base64url(new TextEncoder().encode(JSON.stringify(value)));
}

export function base64url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** A JWT with any header whatever, signed under RS256 with the key. */
export async function signRaw(header: unknown, claims: unknown, key: CryptoKey): Promise<string> {
  const input = `${segment(header)}.${segment(claims)}`;
  const bytes = new TextEncoder().encode(input);
  const signature = await crypto.subtle.sign(key.algorithm, key, bytes);
  return `${input}.${base64url(new Uint8Array(signature))}`;
}

/** A JWT signed under HS256 with a text as its secret. */
export async function signHmac(header: unknown, claims: unknown, secret: string): Promise<string> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const bytes = new TextEncoder().encode(secret);
  const key = await crypto.subtle.importKey("raw", bytes, algorithm, false, ["sign"]);
  return await signRaw(header, claims, key);
}
