import { checkTimes, hasSignatureOf, isRefusal, parseToken, signToken } from "../../auth/jwt.ts";
import {
  generateKeyPair,
  importPrivateKey,
  importPublicKey,
  type PrivateKey,
  type PublicKey,
  publicKeyOf,
} from "../../auth/keys.ts";

/** Seconds before its creation from which a token is valid, since clocks may differ. */
const LEEWAY = 60;

/** The content of a valid token. */
export interface TunnelClaims {
  readonly kiteId: string;
  readonly tunnelId: string;
}

/** Signs and checks the tokens with which kites dial back. */
export class TunnelTokens {
  readonly #privateKey: PrivateKey;
  readonly #publicKey: PublicKey;
  #sequence = 0;

  private constructor(privateKey: PrivateKey, publicKey: PublicKey) {
    this.#privateKey = privateKey;
    this.#publicKey = publicKey;
  }

  /** @param privateKey PEM; without it, a key pair is created for the life of the process */
  static async create(privateKey?: string): Promise<TunnelTokens> {
    const pem = privateKey ?? (await generateKeyPair("EdDSA")).privateKey;
    return new TunnelTokens(
      await importPrivateKey(pem),
      await importPublicKey(await publicKeyOf(pem)),
    );
  }

  /**
   * Signs a token for one tunnel.
   *
   * @param lifetime milliseconds
   */
  async sign({ kiteId, tunnelId }: TunnelClaims, lifetime: number): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      sub: kiteId,
      seq: ++this.#sequence,
      jti: tunnelId,
      iat: now,
      nbf: now - LEEWAY,
      exp: now + Math.ceil(lifetime / 1000),
    };
    return await signToken(claims, this.#privateKey);
  }

  /** Reads a token; undefined if this proxy has not signed it, or if it has expired. */
  async verify(text: string): Promise<TunnelClaims | undefined> {
    try {
      const token = parseToken(text, [this.#publicKey.algorithm]);
      if (!await hasSignatureOf(token, this.#publicKey)) return undefined;
      checkTimes(token.claims, Date.now(), 0);
      const { sub, jti, exp } = token.claims;
      if (sub === undefined || jti === undefined || exp === undefined) return undefined;
      return { kiteId: sub, tunnelId: jti };
    } catch (error) {
      if (isRefusal(error)) return undefined;
      throw error;
    }
  }
}
