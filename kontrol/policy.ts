import { checkFunction, checkOptions, type Checks } from "../src/config_values.ts";
import { IDENTITY_FIELDS, type KiteIdentity } from "../src/protocol/identity.ts";
import type { KontrolQuery } from "../src/protocol/query.ts";
import { cannotUse } from "../src/protocol/refusal.ts";

/** An authenticated caller. */
export interface Caller {
  /** The authenticated username. */
  readonly username: string;
  /** The identity of the calling kite. Except for the username, it is only claimed. */
  readonly kite: KiteIdentity;
  /**
   * When the caller's token expires, milliseconds since 1970, if it authenticated with a token. Tokens
   * issued to it expire at this time at the latest.
   */
  readonly expires?: number;
}

/**
 * Authorization rules of a Kontrol. A missing rule allows everything.
 *
 * @example
 * ```ts
 * import type { Policy } from "@kite/kite/kontrol";
 *
 * const policy: Policy = {
 *   mayRegister: (_caller, { environment }, url) =>
 *     environment !== "production" || url.startsWith("https:"),
 *   scope: ({ username }) => ({ username }),
 * };
 * console.assert(policy.mayCall === undefined);
 * ```
 */
export interface Policy {
  /** May the caller register this kite at this URL? The kite has the caller's username. */
  mayRegister?(caller: Caller, kite: KiteIdentity, url: string): boolean | Promise<boolean>;
  /**
   * May the caller find this kite and get a token for it? Called for every kite that matches a query;
   * {@linkcode Policy.scope} is much faster if the fields of the kite decide.
   */
  mayCall?(caller: Caller, kite: KiteIdentity): boolean | Promise<boolean>;
  /** Restricts all queries of the caller to kites with these fields. */
  scope?(caller: Caller): KontrolQuery;
}

/**
 * The built-in policies. With `"compatible"`, as in the Go Kontrol, every authenticated caller gets a
 * token for every kite. With `"strict"`, callers find only the kites of their own user.
 */
export type PolicyName = "compatible" | "strict";

const COMPATIBLE: Policy = Object.freeze({});

const CHECKS: Checks<Policy> = Object.freeze({
  mayRegister: checkFunction,
  mayCall: checkFunction,
  scope: checkFunction,
});

const STRICT: Policy = Object.freeze({
  scope: ({ username }: Caller): KontrolQuery => ({ username }),
});

/**
 * Returns the named policy, or the given one.
 *
 * @throws {KiteError} `configError` for an unknown name or rule
 */
export function choosePolicy(policy: PolicyName | Policy): Policy {
  if (policy === "compatible") return COMPATIBLE;
  if (policy === "strict") return STRICT;
  if (typeof policy === "object" && policy !== null) {
    // A misspelt rule would allow everything. An instance of a class may have fields of its own.
    if (Object.getPrototypeOf(policy) === Object.prototype) checkOptions("policy", policy, CHECKS);
    return policy;
  }
  throw cannotUse("policy", 'must be "compatible", "strict" or an object', { value: policy });
}

/** Restricts a query to the caller's scope; returns undefined if no kite can match. */
export function inScope(
  policy: Policy,
  caller: Caller,
  query: KontrolQuery,
): KontrolQuery | undefined {
  const scope = policy.scope?.(caller);
  if (scope === undefined) return query;
  const narrowed: { -readonly [Field in keyof KiteIdentity]?: string } = { ...query };
  for (const field of IDENTITY_FIELDS) {
    const wanted = scope[field] ?? "";
    if (wanted === "") continue;
    const asked = query[field] ?? "";
    if (asked !== "" && asked !== wanted) return undefined;
    narrowed[field] = wanted;
  }
  return narrowed;
}
