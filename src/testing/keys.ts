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

/** Options of {@linkcode createTestKeys}. */
export interface TestKeysOptions {
  /**
   * Kontrol's username, the issuer of kite.keys and tokens.
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
   * The algorithm of the key pair.
   *
   * @default "RS256"
   */
  readonly algorithm?: KeyAlgorithm;
  /**
   * Whether kite.keys state that Kontrol signs key handovers. A Go Kontrol does not.
   *
   * @default true
   */
  readonly signsHandovers?: boolean;
}

/** Options of {@linkcode TestKeys.token}. */
export interface TestTokenOptions {
  /**
   * The user that the token is issued for.
   *
   * @default "testuser"
   */
  readonly username?: string;
  /**
   * The kites that accept the token.
   *
   * @default "/", all
   */
  readonly audience?: string;
  /**
   * Milliseconds until the token expires. A negative number gives an expired token.
   *
   * @default 3_600_000
   */
  readonly ttl?: number;
  /**
   * Claims that override the others. `undefined` removes a claim.
   *
   * @default none
   */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** The key pair of a Kontrol that does not run. It signs kite.keys and tokens for tests. */
export interface TestKeys {
  /** Kontrol's username. */
  readonly kontrolUser: string;
  /** Kontrol's URL. */
  readonly kontrolUrl: string;
  /** The key pair, PEM. */
  readonly pair: KeyPairPem;
  /** The imported private key. */
  readonly privateKey: PrivateKey;
  /**
   * Signs a kite.key for a user.
   *
   * @param username default: "testuser"
   */
  kiteKey(username?: string): Promise<string>;
  /** Signs a token for a caller. */
  token(options?: TestTokenOptions): Promise<string>;
}

/**
 * Creates a key pair that signs kite.keys and tokens like a Kontrol.
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
