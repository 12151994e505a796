import { KiteError } from "../src/protocol/errors.ts";
import type { KiteIdentity } from "../src/protocol/identity.ts";

/** Who asks: authenticated. */
export interface Caller {
  /** Whose kite it is; authenticated. */
  readonly username: string;
  /** What it says of itself beside that. */
  readonly kite: KiteIdentity;
}

/** Who may do what at a Kontrol. A question left out is answered with yes. */
export interface Policy {
  /** May the caller register this kite, which runs under the caller's own username, at this URL? */
  mayRegister?(caller: Caller, kite: KiteIdentity, url: string): boolean | Promise<boolean>;
  /** May the caller find this kite, and get a token for it? */
  mayCall?(caller: Caller, kite: KiteIdentity): boolean | Promise<boolean>;
}

/**
 * The policies that come with Kontrol: `"compatible"` does as the Go Kontrol, which gives every
 * authenticated caller a token for every kite; with `"strict"` callers find their own user's kites
 * only.
 */
export type PolicyName = "compatible" | "strict";

const COMPATIBLE: Policy = Object.freeze({});

const STRICT: Policy = Object.freeze({
  mayCall: (caller: Caller, kite: KiteIdentity): boolean => caller.username === kite.username,
});

/** The policy of a name, or the owner's own. @throws {KiteError} `configError` for an unknown name */
export function choosePolicy(policy: PolicyName | Policy): Policy {
  if (policy === "compatible") return COMPATIBLE;
  if (policy === "strict") return STRICT;
  if (typeof policy === "object" && policy !== null) return policy;
  const right = '"compatible", "strict" or an object';
  throw new KiteError("configError", `policy: "${String(policy)}" is not right; it takes ${right}`);
}

/** The kites that the caller may find and call. */
export async function filterCallable<Found extends { readonly kite: KiteIdentity }>(
  policy: Policy,
  caller: Caller,
  found: readonly Found[],
): Promise<readonly Found[]> {
  if (policy.mayCall === undefined) return found;
  const callable: Found[] = [];
  for (const one of found) if (await policy.mayCall(caller, one.kite)) callable.push(one);
  return callable;
}
