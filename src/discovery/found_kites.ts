import { KiteError } from "../protocol/errors.ts";
import { type KiteIdentity, readIdentity } from "../protocol/identity.ts";
import { isKiteUrl } from "../transport/url.ts";

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

/**
 * Reads the answer to `getKites`. Kites without an id or a usable URL are left out: anyone may
 * register one, and it must not hide the others.
 *
 * @throws {KiteError} `invalidResponse`
 */
export function readGetKitesResult(value: unknown): GetKitesResult {
  if (typeof value !== "object" || value === null) {
    throw new KiteError(
      "invalidResponse",
      "Cannot read the answer to getKites: it must be an object",
    );
  }
  const { kites, watcherID, more } = value as {
    kites?: unknown;
    watcherID?: unknown;
    more?: unknown;
  };
  return {
    hasMore: more === true,
    kites: Array.isArray(kites) ? kites.flatMap(readIfUsable) : [],
    watcherId: typeof watcherID === "string" && watcherID !== "" ? watcherID : undefined,
  };
}

/**
 * Reads one kite of an answer or an event.
 *
 * @throws {KiteError} `invalidResponse`
 */
export function readFoundKite(value: unknown): FoundKite {
  const { kite, url = "", token } = (value ?? {}) as Readonly<Record<string, unknown>>;
  const identity = readIdentity(kite);
  if (identity.id === "") {
    throw new KiteError("invalidResponse", "Cannot read a kite from Kontrol: it has no id");
  }
  // A kite that has gone needs no URL.
  if (url !== "" && url !== null && !isKiteUrl(url)) {
    throw new KiteError(
      "invalidResponse",
      "Cannot read a kite from Kontrol: its URL is not usable",
    );
  }
  return {
    kite: identity,
    url: url ?? "",
    token: typeof token === "string" ? token : "",
  };
}

function readIfUsable(value: unknown): FoundKite[] {
  try {
    const found = readFoundKite(value);
    return found.url === "" ? [] : [found];
  } catch (error) {
    if (error instanceof KiteError) return [];
    throw error;
  }
}
