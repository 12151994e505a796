import { type KiteIdentity, readIdentity } from "../protocol/identity.ts";
import type { Authentication } from "./codec.ts";

/** The part that all requests of a caller share: its identity and authentication. */
export interface Head {
  readonly kite: KiteIdentity;
  readonly authentication: Authentication | undefined;
}

/** The two members of a head, as parsed from a message. */
export interface StatedHead {
  readonly kite?: unknown;
  readonly authentication?: unknown;
}

/** Reads a head, unchecked as it comes from a remote. */
export function readHead({ kite, authentication }: StatedHead, nameLength: number): Head {
  return {
    kite: readIdentity(kite, nameLength),
    authentication: readAuthentication(authentication),
  };
}

/** Reads the authentication that a caller sent; undefined for none. */
export function readAuthentication(value: unknown): Authentication | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { type, key } = value as { type?: unknown; key?: unknown };
  if (typeof type !== "string" || type === "") return undefined;
  return { type, key: typeof key === "string" ? key : "" };
}

/** Reads the milliseconds that a caller waits; undefined if it does not say. */
export function readTimeout(value: unknown): number | undefined {
  return typeof value === "number" && value > 0 && value < Infinity ? value : undefined;
}
