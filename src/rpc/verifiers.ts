import type { AudienceCheck, AudienceIdentity } from "../auth/audience.ts";
import { KiteKeyVerifier, type KontrolKeyCheck } from "../auth/kite_key_verifier.ts";
import { TokenVerifier } from "../auth/token.ts";
import type { Trust } from "../auth/trust.ts";
import type { Authenticators } from "./authenticators.ts";

/** Settings of the authenticators that every kite has. */
export interface VerifierSettings {
  readonly verify?: KontrolKeyCheck;
  readonly verifyTtl: number;
  readonly audience?: AudienceCheck;
  readonly allowTokensWithoutExpiry?: boolean;
  readonly clockTolerance?: number;
}

/**
 * Adds the `token` and `kiteKey` authenticators. Each call is checked with the keys trusted then.
 */
export function addVerifiers(
  authenticators: Authenticators,
  trust: Trust,
  identity: AudienceIdentity,
  { verify, verifyTtl, audience, allowTokensWithoutExpiry, clockTolerance = 0 }: VerifierSettings,
): void {
  const { trustedKeys, trustedUntil } = trust;
  const common = { trustedKeys, trustedUntil, clockTolerance };
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
