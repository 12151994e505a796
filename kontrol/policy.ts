import { KiteError } from "../src/protocol/errors.ts";
import { IDENTITY_FIELDS, type KiteIdentity } from "../src/protocol/identity.ts";
import type { KontrolQuery } from "../src/protocol/query.ts";

/** Who asks: authenticated. */
export interface Caller {
  /** Whose kite it is; authenticated. */
  readonly username: string;
  /** What it says of itself beside that. */
  readonly kite: KiteIdentity;
  /**
   * When the token ends that the caller showed in place of a kite.key, milliseconds since 1970. No
   * token that it gets outlives this one.
   */
  readonly expires?: number;
}

/** Who may do what at a Kontrol. A question left out is answered with yes. */
export interface Policy {
  /** May the caller register this kite, which runs under the caller's own username, at this URL? */
  mayRegister?(caller: Caller, kite: KiteIdentity, url: string): boolean | Promise<boolean>;
  /**
   * May the caller find this kite, and get a token for it? Asked for every kite that matches a query:
   * where fields alone decide, {@linkcode Policy.scope} is much faster.
   */
  mayCall?(caller: Caller, kite: KiteIdentity): boolean | Promise<boolean>;
  /** Fields that every kite has which the caller may find: the storage is asked for no others. */
  scope?(caller: Caller): KontrolQuery;
}

/**
 * The policies that come with Kontrol. `"compatible"` does as the Go Kontrol: every authenticated
 * caller gets a token for every kite. With `"strict"` callers find only the kites of their own user.
 */
export type PolicyName = "compatible" | "strict";

const COMPATIBLE: Policy = Object.freeze({});

const STRICT: Policy = Object.freeze({
  scope: ({ username }: Caller): KontrolQuery => ({ username }),
});

/**
 * The policy of a name, or the owner's own.
 *
 * @throws {KiteError} `configError` for an unknown name
 */
export function choosePolicy(policy: PolicyName | Policy): Policy {
  if (policy === "compatible") return COMPATIBLE;
  if (policy === "strict") return STRICT;
  if (typeof policy === "object" && policy !== null) return policy;
  const right = 'must be "compatible", "strict" or an object';
  throw new KiteError("configError", `Cannot use "${String(policy)}" as policy: ${right}`);
}

/** A query for those of the matching kites that are in the caller's scope; undefined if none can be. */
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
