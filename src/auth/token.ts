import { type AudienceCheck, type AudienceIdentity, refuseAudience } from "./audience.ts";
import type { JwtClaims } from "./claims.ts";
import { hasSignatureOf, isRefusal, refusal, type UnverifiedToken } from "./jwt.ts";
import { clip } from "./text.ts";
import { CachingVerifier, usernameOf, type VerifierOptions } from "./verifier.ts";

/** What a {@linkcode TokenVerifier} must know. */
export interface TokenVerifierOptions extends VerifierOptions {
  /** Our Kontrol's username; no other issuer is trusted. */
  readonly kontrolUser: () => string;
  /** Who we are, for the audience. */
  readonly identity: () => AudienceIdentity;
  /**
   * Decides on the audience.
   *
   * @default {@linkcode refuseAudience}: docs/protocol.md §5
   */
  readonly audience?: AudienceCheck;
  /**
   * Takes tokens that never end, as the Go kite does.
   *
   * @default false
   */
  readonly allowWithoutExpiry?: boolean;
  /**
   * Looks for new trusted keys when none of those at hand made a signature; what they are then is
   * tried once more.
   *
   * @default none are looked for
   */
  readonly refresh?: () => Promise<void>;
}

/**
 * The `token` authenticator (docs/protocol.md §5): a JWT signed by Kontrol for a caller of this kite.
 *
 * Good when the algorithm is allowed and fits the key, the issuer is our Kontrol's user, one of the
 * trusted keys made the signature, the times hold, and `sub` and `aud` say who may call whom.
 * A bad signature is refused as "token is expired", so that clients fetch a new token.
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
 * const caller = verifier.cached(token) ?? await verifier.verify(token);
 * console.assert(caller.username === "alice");
 * ```
 */
export class TokenVerifier extends CachingVerifier {
  readonly #options: TokenVerifierOptions;

  /** @throws {KiteError} `configError`, naming the option that is wrong. */
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

  /** The one of `keys` that made the signature. */
  async #signerOf(token: UnverifiedToken, keys: readonly string[]): Promise<string | undefined> {
    let unusable: unknown;
    for (const pem of keys) {
      try {
        if (await hasSignatureOf(token, await this.import(pem))) return pem;
      } catch (error) {
        // One damaged key must not keep the others from being tried.
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
