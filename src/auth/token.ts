import { type AudienceCheck, type AudienceIdentity, refuseAudience } from "./audience.ts";
import type { JwtClaims } from "./claims.ts";
import { hasSignatureOf, isRefusal, refusal, type UnverifiedToken } from "./jwt.ts";
import { clip } from "./text.ts";
import { CachingVerifier, usernameOf, type VerifierOptions } from "./verifier.ts";

/** Options of a {@linkcode TokenVerifier}. */
export interface TokenVerifierOptions extends VerifierOptions {
  /** Returns the username of our Kontrol, the only trusted issuer. */
  readonly kontrolUser: () => string;
  /** Returns the identity of this kite, which the audience must cover. */
  readonly identity: () => AudienceIdentity;
  /**
   * Checks the audience.
   *
   * @default {@linkcode refuseAudience}
   */
  readonly audience?: AudienceCheck;
  /**
   * Accepts tokens that never expire, as the Go kite does.
   *
   * @default false
   */
  readonly allowWithoutExpiry?: boolean;
  /**
   * Requests new trusted keys when no current key signed a token. The token is then checked against
   * the new ones.
   *
   * @default no keys are requested
   */
  readonly refresh?: () => Promise<void>;
}

/**
 * The `token` authenticator (docs/protocol.md §5): accepts JWTs that Kontrol signed for callers of
 * this kite.
 *
 * It checks that the algorithm is allowed and matches the key, the issuer is our Kontrol's user, a
 * trusted key signed the token, the token is valid now, it has a `sub`, and `aud` covers this kite.
 * A bad signature is reported as "token is expired", so that clients request a new token.
 *
 * @example
 * ```ts
 * import { generateKeyPair, importPrivateKey } from "./keys.ts";
 * import { signToken } from "./jwt.ts";
 * import { TokenVerifier } from "./token.ts";
 *
 * const { publicKey, privateKey } = await generateKeyPair();
 * const verifier = new TokenVerifier({
 *   trustedKeys: () => [publicKey],
 *   kontrolUser: () => "kontrol",
 *   identity: () => ({ username: "bob", environment: "prod", name: "math" }),
 * });
 * const token = await signToken(
 *   { iss: "kontrol", sub: "alice", aud: "/bob/prod", exp: Math.floor(Date.now() / 1000) + 60 },
 *   await importPrivateKey(privateKey),
 * );
 * const caller = await verifier.verify(token);
 * console.assert(caller.username === "alice");
 * ```
 */
export class TokenVerifier extends CachingVerifier {
  readonly #options: TokenVerifierOptions;

  /** @throws {KiteError} `configError`, naming the invalid option. */
  constructor(options: TokenVerifierOptions) {
    super(options);
    this.#options = options;
  }

  protected override trust(): readonly string[] {
    const { username, environment, name } = this.#options.identity();
    return [...super.trust(), this.#options.kontrolUser(), username, environment, name];
  }

  protected override async checkSigner(token: UnverifiedToken): Promise<number> {
    const keys = this.trustedKeys();
    const kontrolUser = this.#options.kontrolUser();
    if (keys.length === 0) throw refusal("kontrol key is not set");
    const issuer = token.claims.iss ?? "";
    if (issuer === "" || issuer !== kontrolUser) {
      throw refusal(`issuer is not trusted: ${clip(issuer)}`);
    }
    let signer = await this.#signerOf(token, keys);
    if (signer === undefined) {
      await this.#options.refresh?.();
      signer = await this.#signerOf(token, this.trustedKeys().filter((key) => !keys.includes(key)));
    }
    if (signer === undefined) throw refusal("token is expired");
    return this.trustedUntil(signer);
  }

  /** Finds the key that signed the token. */
  async #signerOf(token: UnverifiedToken, keys: readonly string[]): Promise<string | undefined> {
    let unusable: unknown;
    for (const pem of keys) {
      try {
        if (await hasSignatureOf(token, await this.import(pem))) return pem;
      } catch (error) {
        // After a damaged key, the others are still tried.
        unusable = error;
      }
    }
    if (unusable !== undefined) throw refusal("a trusted kontrol key cannot be used", unusable);
    return undefined;
  }

  protected override checkClaims(claims: JwtClaims): void {
    const audiences = typeof claims.aud === "string" ? [claims.aud] : claims.aud ?? [];
    if (!audiences.some((audience) => audience !== "")) throw refusal("token has no audience");
    usernameOf(claims);
    if (claims.exp === undefined && this.#options.allowWithoutExpiry !== true) {
      throw refusal("token has no expiry");
    }
    let reason: string | undefined;
    for (const audience of audiences) {
      const refused = this.#refuse(audience);
      if (refused === undefined) return;
      reason ??= refused;
    }
    throw refusal(reason ?? "token has no audience");
  }

  #refuse(audience: string): string | undefined {
    const { audience: check, identity } = this.#options;
    if (check === undefined) return refuseAudience(identity(), audience);
    try {
      return check(identity(), audience) ? undefined : `audience: not allowed (${clip(audience)})`;
    } catch (error) {
      if (isRefusal(error)) throw error;
      throw refusal("audience could not be checked", error);
    }
  }
}
