import type { Verified, Verifier } from "../auth/verifier.ts";
import { KiteError, messageOf } from "../protocol/errors.ts";
import { cannotUse } from "../protocol/refusal.ts";
import type { Authentication } from "./codec.ts";
import { IncomingCall, type KiteRequest } from "./request.ts";

/**
 * Authenticates a caller: returns the caller's username, or throws to refuse the call. The thrown
 * message is sent to the caller as `authenticationError: TYPE: message`.
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
  /**
   * Results by authentication object. A codec reuses the object while its caller sends the same
   * token.
   */
  readonly #remembered = new WeakMap<Authentication, Remembered>();
  /**
   * Counts changes of the table and of the trusted keys. Each change makes earlier results invalid.
   */
  #generation = 0;

  /** Adds an authenticator of this library. It replaces one of the same type. */
  setVerifier(type: string, verifier: Verifier): void {
    this.#own.delete(type);
    this.#verifiers.set(type, verifier);
    this.#generation++;
  }

  /**
   * Adds an authenticator of the owner. It replaces one of the same type.
   *
   * @throws {KiteError} `configError`
   */
  set(type: string, authenticator: Authenticator): void {
    if (typeof type !== "string" || type === "") {
      throw cannotUse("authentication type", "must be text that is not empty", { value: type });
    }
    if (typeof authenticator !== "function") {
      throw cannotUse("authenticator", "must be a function", { value: authenticator });
    }
    this.#verifiers.delete(type);
    this.#own.set(type, authenticator);
    this.#generation++;
  }

  /**
   * Removes an authenticator, for open connections and for calls under verification as well.
   *
   * @returns Whether there was one.
   */
  delete(type: string): boolean {
    this.#generation++;
    return this.#verifiers.delete(type) || this.#own.delete(type);
  }

  /** The types in the table. */
  get types(): string[] {
    return [...this.#verifiers.keys(), ...this.#own.keys()];
  }

  /** Makes earlier results invalid. Call it when the trusted keys change. */
  trustChanged(): void {
    this.#generation++;
  }

  /**
   * Sets the request's username to the authenticated one.
   *
   * @returns `undefined` when that is done, or a promise if it takes time.
   * @throws {KiteError} `authenticationError`, now or in the promise.
   */
  authenticate(request: IncomingCall): Promise<void> | undefined {
    const { authentication } = request;
    if (authentication === undefined) {
      throw new KiteError("authenticationError", "No authentication information is provided");
    }
    const remembered = this.#remembered.get(authentication);
    if (
      remembered !== undefined && remembered.generation === this.#generation &&
      remembered.verified.until > Date.now()
    ) {
      IncomingCall.authenticated(request, remembered.verified.username);
      return undefined;
    }
    return this.#check(request, authentication);
  }

  async #check(request: IncomingCall, authentication: Authentication): Promise<void> {
    const { type, key } = authentication;
    for (;;) {
      const verifier = this.#verifiers.get(type);
      const own = this.#own.get(type);
      const generation = this.#generation;
      if (verifier === undefined && own === undefined) {
        throw new KiteError(
          "authenticationError",
          `Unknown authentication type: ${type.slice(0, 64)}`,
        );
      }
      let username: string;
      try {
        if (verifier !== undefined) {
          const verified = verifier.cached(key) ?? await verifier.verify(key);
          this.#remembered.set(authentication, { verified, generation });
          username = verified.username;
        } else username = checkUsername(await own!(authentication, request));
      } catch (error) {
        const reason = messageOf(error);
        throw new KiteError("authenticationError", `${type}: ${reason}`, { cause: error });
      }
      // The authenticator may have been removed or replaced during the check.
      const isCurrent = own === undefined
        ? generation === this.#generation
        : own === this.#own.get(type);
      if (isCurrent) return IncomingCall.authenticated(request, username);
    }
  }
}

function checkUsername(username: string): string {
  if (typeof username === "string" && username !== "") return username;
  throw new KiteError("authenticationError", "the authenticator returned no username");
}
