import type { AudienceCheck, AudienceIdentity } from "../auth/audience.ts";
import { KiteKeyVerifier, type KontrolKeyCheck } from "../auth/kite_key_verifier.ts";
import { TokenVerifier } from "../auth/token.ts";
import type { Trust } from "../auth/trust.ts";
import type { Verified, Verifier } from "../auth/verifier.ts";
import { KiteError, messageOf } from "../protocol/errors.ts";
import type { Authentication } from "./codec.ts";
import type { KiteRequest } from "./request.ts";

/**
 * An authenticator of the owner's own: gives the caller's username, or throws to refuse. A thrown
 * message reaches the caller as `authenticationError: TYPE: message`.
 */
export type Authenticator = (
  authentication: Authentication,
  request: KiteRequest,
) => string | Promise<string>;

interface Remembered {
  readonly verified: Verified;
  /** {@linkcode Authenticators.#generation} when it was verified. */
  readonly generation: number;
}

/** The authenticators of a kite, by the type that callers name (docs/protocol.md §5). */
export class Authenticators {
  readonly #verifiers = new Map<string, Verifier>();
  readonly #own = new Map<string, Authenticator>();
  /** What was verified, by the object that a conversation keeps as long as the caller shows the same. */
  #remembered = new WeakMap<Authentication, Remembered>();
  #generation = 0;

  /** Puts an authenticator of this library in the table. */
  setVerifier(type: string, verifier: Verifier): void {
    this.#own.delete(type);
    this.#verifiers.set(type, verifier);
  }

  /** Puts one of the owner's own in the table, in place of a former one of that type. */
  set(type: string, authenticator: Authenticator): void {
    this.#verifiers.delete(type);
    this.#own.set(type, authenticator);
  }

  /** Takes one out of the table. @returns whether it was there */
  delete(type: string): boolean {
    return this.#verifiers.delete(type) || this.#own.delete(type);
  }

  /** The types in the table. */
  get types(): string[] {
    return [...this.#verifiers.keys(), ...this.#own.keys()];
  }

  /** Forgets what was verified: to be called when what is trusted changes. */
  trustChanged(): void {
    this.#generation++;
  }

  /**
   * Sets the request's username to the authenticated one.
   *
   * @returns undefined when that is done, or a promise where it takes time
   * @throws {KiteError} `authenticationError`, now or in the promise
   */
  authenticate(request: KiteRequest): Promise<void> | undefined {
    const { authentication } = request;
    if (authentication === undefined) {
      throw new KiteError("authenticationError", "No authentication information is provided");
    }
    const remembered = this.#remembered.get(authentication);
    if (
      remembered !== undefined && remembered.generation === this.#generation &&
      remembered.verified.expires > Date.now()
    ) {
      vouch(request, remembered.verified.username);
      return undefined;
    }
    return this.#check(request, authentication);
  }

  async #check(request: KiteRequest, authentication: Authentication): Promise<void> {
    const { type, key } = authentication;
    const verifier = this.#verifiers.get(type);
    const own = this.#own.get(type);
    const generation = this.#generation;
    try {
      if (verifier !== undefined) {
        const verified = verifier.cached(key) ?? await verifier.verify(key);
        // A key that others vouch for may stop being trusted before it expires.
        if (type === "token") this.#remembered.set(authentication, { verified, generation });
        return vouch(request, verified.username);
      }
      if (own !== undefined) {
        return vouch(request, checkUsername(await own(authentication, request)));
      }
    } catch (error) {
      const reason = messageOf(error);
      throw new KiteError("authenticationError", `${type}: ${reason}`, { cause: error });
    }
    throw new KiteError(
      "authenticationError",
      `Unknown authentication type: ${type.slice(0, 64)}`,
    );
  }
}

/** How the authenticators that come with a kite decide. */
export interface VerifierSettings {
  readonly verify?: KontrolKeyCheck;
  readonly verifyTtl: number;
  readonly audience?: AudienceCheck;
  readonly allowTokensWithoutExpiry?: boolean;
  readonly clockTolerance?: number;
}

/** Puts `token` and `kiteKey` in a table, for what is trusted at the time of each call. */
export function addVerifiers(
  authenticators: Authenticators,
  trust: Trust,
  identity: AudienceIdentity,
  { verify, verifyTtl, audience, allowTokensWithoutExpiry, clockTolerance = 0 }: VerifierSettings,
): void {
  const common = { trustedKeys: trust.trustedKeys, clockTolerance };
  authenticators.setVerifier(
    "token",
    new TokenVerifier({
      ...common,
      kontrolUser: () => trust.kontrolUser,
      identity: () => identity,
      refresh: () => trust.refresh(),
      allowWithoutExpiry: allowTokensWithoutExpiry ?? false,
      ...(audience === undefined ? {} : { audience }),
    }),
  );
  authenticators.setVerifier(
    "kiteKey",
    new KiteKeyVerifier({ ...common, verifyTtl, ...(verify === undefined ? {} : { verify }) }),
  );
}

function vouch(request: KiteRequest, username: string): void {
  if (request.kite.username !== username) request.kite = { ...request.kite, username };
  request.isAuthenticated = true;
}

function checkUsername(username: string): string {
  if (typeof username === "string" && username !== "") return username;
  throw new KiteError("authenticationError", "the authenticator gave no username");
}
