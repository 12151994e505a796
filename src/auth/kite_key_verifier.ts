import { cannotUse } from "../protocol/refusal.ts";
import { Timer } from "../runtime/timer.ts";
import { type Remembered, SharedCache } from "./cache.ts";
import type { JwtClaims } from "./claims.ts";
import { hasSignatureOf, isRefusal, refusal, type UnverifiedToken } from "./jwt.ts";
import { canonicalPublicKey, type KeyAlgorithm } from "./keys.ts";
import { CachingVerifier, usernameOf, type VerifierOptions } from "./verifier.ts";

/**
 * Tells whether a public key is a Kontrol that we trust; asked for keys other than our own
 * Kontrol's. May throw an `authenticationError` with a message of its own for the caller; what
 * else it throws stays here.
 */
export type KontrolKeyCheck = (kontrolKey: string) => boolean | Promise<boolean>;

/** What a {@linkcode KiteKeyVerifier} must know. */
export interface KiteKeyVerifierOptions extends VerifierOptions {
  /**
   * Decides on keys other than the trusted ones.
   *
   * @default none of them is trusted
   */
  readonly verify?: KontrolKeyCheck;
  /**
   * How long an answer of `verify` is remembered, milliseconds; 0 for not at all.
   *
   * @default 300_000
   */
  readonly verifyTtl?: number;
  /**
   * How long `verify` may take, milliseconds.
   *
   * @default 15_000
   */
  readonly verifyTimeout?: number;
}

interface Answer {
  readonly isTrusted: boolean;
  readonly until: number;
}

/** Answers of `verify` that are remembered; strangers can make up keys without end. */
const MAX_ANSWERS = 1_000;

/** What the Go kite says of a bad signature. */
const BAD_SIGNATURE: Readonly<Record<KeyAlgorithm, string>> = {
  RS256: "crypto/rsa: verification error",
  ES256: "crypto/ecdsa: verification error",
  EdDSA: "ed25519: verification error",
};

/**
 * The `kiteKey` authenticator: a kite.key, signed by the key in its own `kontrolKey` claim
 * (docs/protocol.md §5). That claim alone proves nothing: the key must be one of the trusted ones,
 * by its trimmed text, or the owner's `verify` must accept it. An untrusted key is never used.
 */
export class KiteKeyVerifier extends CachingVerifier {
  readonly #verify: KontrolKeyCheck | undefined;
  readonly #ttl: number;
  readonly #timeout: number;
  readonly #answers: SharedCache<Answer>;

  /** @throws {KiteError} `configError`, naming the option that is wrong. */
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

  /** Until when the owner trusts the key; throws if not at all. */
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
