import type { SignableClaims } from "../auth/claims.ts";
import { signToken } from "../auth/jwt.ts";
import {
  generateKeyPair,
  importPrivateKey,
  type KeyAlgorithm,
  type KeyPairPem,
  type PrivateKey,
} from "../auth/keys.ts";
import { createKiteKey } from "../auth/kite_key.ts";

/** How {@linkcode createTestKeys} makes its Kontrol. */
export interface TestKeysOptions {
  /**
   * Kontrol's username, the issuer of all it signs.
   *
   * @default "testuser"
   */
  readonly kontrolUser?: string;
  /**
   * Kontrol's URL in kite.keys.
   *
   * @default "http://127.0.0.1:4000/kite"
   */
  readonly kontrolUrl?: string;
  /**
   * What it signs with.
   *
   * @default "RS256"
   */
  readonly algorithm?: KeyAlgorithm;
  /**
   * Whether its kite.keys say that it signs key handovers; false for a Go Kontrol.
   *
   * @default true
   */
  readonly signsHandovers?: boolean;
}

/** What a test's token says; see {@linkcode TestKeys.token}. */
export interface TestTokenOptions {
  /**
   * Whom it speaks for.
   *
   * @default "testuser"
   */
  readonly username?: string;
  /**
   * Which kites it is good for.
   *
   * @default "/", all
   */
  readonly audience?: string;
  /**
   * How long from now it is good, milliseconds; below 0 for an expired one.
   *
   * @default 3_600_000
   */
  readonly ttl?: number;
  /**
   * Claims that replace the others; `undefined` leaves one out.
   *
   * @default none
   */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A Kontrol's keys, without the Kontrol: signs the kite.keys and tokens that a test needs. */
export interface TestKeys {
  /** Kontrol's username. */
  readonly kontrolUser: string;
  /** Kontrol's URL. */
  readonly kontrolUrl: string;
  /** The key pair, PEM. */
  readonly pair: KeyPairPem;
  /** The private key, ready to sign. */
  readonly privateKey: PrivateKey;
  /**
   * A kite.key for a user.
   *
   * @param username default: "testuser"
   */
  kiteKey(username?: string): Promise<string>;
  /** A token for a caller. */
  token(options?: TestTokenOptions): Promise<string>;
}

/**
 * Makes a key pair, and what signs with it.
 *
 * @example
 * ```ts
 * import { createTestKeys } from "@kite/kite/testing";
 *
 * const keys = await createTestKeys();
 * const kiteKey = await keys.kiteKey("alice");
 * const token = await keys.token({ username: "alice", audience: "/bob/prod/math" });
 * ```
 */
export async function createTestKeys(options: TestKeysOptions = {}): Promise<TestKeys> {
  const { kontrolUser = "testuser", kontrolUrl = "http://127.0.0.1:4000/kite" } = options;
  const { signsHandovers = true } = options;
  const pair = await generateKeyPair(options.algorithm ?? "RS256");
  const privateKey = await importPrivateKey(pair.privateKey);
  const publicKeyPem = pair.publicKey;
  return {
    kontrolUser,
    kontrolUrl,
    pair,
    privateKey,
    kiteKey: (username = "testuser") =>
      createKiteKey({
        username,
        kontrolUser,
        kontrolUrl,
        privateKey,
        publicKeyPem,
        signsHandovers,
      }),
    token: ({ username = "testuser", audience = "/", ttl = 3_600_000, claims = {} } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const standard: SignableClaims = {
        iss: kontrolUser,
        sub: username,
        aud: audience,
        jti: crypto.randomUUID(),
        iat: now - 300,
        nbf: now - 300,
        exp: now + Math.floor(ttl / 1000),
      };
      return signToken({ ...standard, ...claims }, privateKey);
    },
  };
}
