import { KiteError } from "../protocol/errors.ts";
import { type KiteIdentity, readIdentity } from "../protocol/identity.ts";

/** A kite as Kontrol describes it. */
export interface FoundKite {
  /** Who it is. */
  readonly kite: KiteIdentity;
  /** Where it answers. */
  readonly url: string;
  /** A token for calls to it; `""` when it has gone. */
  readonly token: string;
}

/** The answer to `getKites`, or a page of a watch's list. */
export interface GetKitesResult {
  readonly kites: readonly FoundKite[];
  /** True if the list goes on with another page. */
  readonly hasMore: boolean;
  /** The watch that was begun, if one was asked for. */
  readonly watcherId: string | undefined;
}

/** Reads the answer to `getKites`. @throws {KiteError} `invalidResponse` */
export function readGetKitesResult(value: unknown): GetKitesResult {
  if (typeof value !== "object" || value === null) {
    throw new KiteError("invalidResponse", "the answer to getKites is no object");
  }
  const { kites, watcherID, more } = value as {
    kites?: unknown;
    watcherID?: unknown;
    more?: unknown;
  };
  return {
    hasMore: more === true,
    kites: Array.isArray(kites) ? kites.map(readFoundKite) : [],
    watcherId: typeof watcherID === "string" && watcherID !== "" ? watcherID : undefined,
  };
}

/** Reads one kite of an answer or an event. @throws {KiteError} `invalidResponse` */
export function readFoundKite(value: unknown): FoundKite {
  const { kite, url, token } = (value ?? {}) as { kite?: unknown; url?: unknown; token?: unknown };
  const identity = readIdentity(kite);
  if (identity.id === "") throw new KiteError("invalidResponse", "Kontrol named a kite without id");
  return {
    kite: identity,
    url: typeof url === "string" ? url : "",
    token: typeof token === "string" ? token : "",
  };
}
