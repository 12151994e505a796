import { cannotUse } from "../protocol/refusal.ts";
import { Timer } from "../runtime/timer.ts";
import { type Remembered, SharedCache } from "./cache.ts";
import type { JwtClaims } from "./claims.ts";
import { hasSignatureOf, isRefusal, refusal, type UnverifiedToken } from "./jwt.ts";
import { canonicalPublicKey, type KeyAlgorithm } from "./keys.ts";
import { CachingVerifier, usernameOf, type VerifierOptions } from "./verifier.ts";

/**
 * Decides whether to trust the public key of another Kontrol. It may throw an `authenticationError`,
 * whose message is sent to the caller; other errors are not sent.
 */
export type KontrolKeyCheck = (kontrolKey: string) => boolean | Promise<boolean>;

/** Options of a {@linkcode KiteKeyVerifier}. */
export interface KiteKeyVerifierOptions extends VerifierOptions {
  /**
   * Decides whether to trust other keys than the trusted ones.
   *
   * @default no other key is trusted
   */
  readonly verify?: KontrolKeyCheck;
  /**
   * Milliseconds for which results of `verify` are cached; 0 disables caching.
   *
   * @default 300_000
   */
  readonly verifyTtl?: number;
  /**
   * Milliseconds after which `verify` fails.
   *
   * @default 15_000
   */
  readonly verifyTimeout?: number;
}

interface Answer {
  readonly isTrusted: boolean;
  readonly until: number;
}

/** The maximum number of cached results of `verify`, since callers can send any number of keys. */
const MAX_ANSWERS = 1_000;

/** The Go kite's messages for a bad signature. */
const BAD_SIGNATURE: Readonly<Record<KeyAlgorithm, string>> = {
  RS256: "crypto/rsa: verification error",
  ES256: "crypto/ecdsa: verification error",
  EdDSA: "ed25519: verification error",
};

/**
 * The `kiteKey` authenticator: accepts a kite.key signed by the key in its own `kontrolKey` claim
 * (docs/protocol.md §5). That key must be a trusted one, or the owner's `verify` must accept it. Other
 * keys are never used.
 */
export class KiteKeyVerifier extends CachingVerifier {
  readonly #verify: KontrolKeyCheck | undefined;
  readonly #ttl: number;
  readonly #timeout: number;
  readonly #answers: SharedCache<Answer>;

  /** @throws {KiteError} `configError`, naming the invalid option. */
  constructor(options: KiteKeyVerifierOptions) {
    super(options);
    this.#verify = options.verify;
    this.#ttl = milliseconds("verifyTtl", options.verifyTtl ?? 300_000);
    this.#timeout = milliseconds("verifyTimeout", options.verifyTimeout ?? 15_000);
    this.#answers = new SharedCache(MAX_ANSWERS, this.now);
  }

  protected override async checkSigner(token: UnverifiedToken): Promise<number> {
    const kontrolKey = token.claims.kontrolKey?.trim() ?? "";
    if (kontrolKey === "") throw refusal("no kontrol key found");
    const canonical = canonicalPublicKey(kontrolKey);
    const trustedUntil = this.trustedKeys().includes(canonical)
      ? this.trustedUntil(canonical)
      : await this.#askOwner(kontrolKey);
    const key = await this.import(kontrolKey).catch((error: unknown) => {
      throw refusal("kontrol key cannot be used", error);
    });
    if (key.algorithm !== token.algorithm) throw refusal("invalid signing method");
    if (!await hasSignatureOf(token, key)) throw refusal(BAD_SIGNATURE[token.algorithm]);
    return trustedUntil;
  }

  protected override checkClaims(claims: JwtClaims): void {
    usernameOf(claims);
  }

  /** Returns until when the owner trusts the key; throws if the owner does not. */
  async #askOwner(kontrolKey: string): Promise<number> {
    const verify = this.#verify;
    if (verify === undefined) throw refusal("kontrol key is not trusted");
    const known = this.#answers.get(kontrolKey);
    if (known?.isTrusted === false) throw refusal("invalid kontrol key found");
    const answer = known ?? await this.#answers.obtain(kontrolKey, () => this.#ask(kontrolKey));
    if (!answer.isTrusted) throw refusal("kontrol key is not trusted");
    return answer.until;
  }

  async #ask(kontrolKey: string): Promise<Remembered<Answer>> {
    const isTrusted = await this.#inTime(kontrolKey);
    const until = this.now() + this.#ttl;
    return { value: { isTrusted, until }, until };
  }

  async #inTime(kontrolKey: string): Promise<boolean> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = new Timer(
      () => reject(refusal("kontrol key could not be verified in time")),
      this.#timeout,
    );
    try {
      return (await Promise.race([this.#verify?.(kontrolKey), late])) === true;
    } catch (error) {
      if (isRefusal(error)) throw error;
      throw refusal("kontrol key could not be verified", error);
    } finally {
      timer.clear();
    }
  }
}

function milliseconds(option: string, value: number): number {
  if (value >= 0) return value;
  throw cannotUse(option, "must be a number of milliseconds, at least 0", { value });
}
