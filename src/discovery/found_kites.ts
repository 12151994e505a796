import { KiteError } from "../protocol/errors.ts";
import { type KiteIdentity, readIdentity } from "../protocol/identity.ts";
import { isKiteUrl } from "../transport/url.ts";

/** A kite that Kontrol found. */
export interface FoundKite {
  /** Its identity. */
  readonly kite: KiteIdentity;
  /** The URL to dial. */
  readonly url: string;
  /** A token for calls to it; `""` for a kite that has disconnected. */
  readonly token: string;
}

/** The answer to `getKites`, or one page of the list of a watch. */
export interface GetKitesResult {
  readonly kites: readonly FoundKite[];
  /** True if the list has more pages. */
  readonly hasMore: boolean;
  /** The id of the new watch, if one was requested. */
  readonly watcherId: string | undefined;
}

/**
 * Reads the answer to `getKites`. Skips kites without an id or a usable URL: anyone can register
 * one, and it must not make the others unavailable.
 *
 * @throws {KiteError} `invalidResponse`
 */
export function readGetKitesResult(value: unknown): GetKitesResult {
  if (typeof value !== "object" || value === null) {
    throw unreadable("the answer to getKites: it must be an object");
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
    throw unreadable("a kite from Kontrol: it has no id");
  }
  // A kite that has disconnected needs no URL.
  if (url !== "" && url !== null && !isKiteUrl(url)) {
    throw unreadable("a kite from Kontrol: its URL is not usable");
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

function unreadable(what: string): KiteError {
  return new KiteError("invalidResponse", `Cannot read ${what}`);
}

/** Creates the error for a query that no kite matches. */
export function notFound(message: string, cause?: KiteError): KiteError {
  return new KiteError("genericError", message, {
    code: "kitesNotFound",
    id: cause?.id ?? "",
    cause,
  });
}

/** True for the error of a Kontrol without a matching kite. */
export function isNotFound(error: unknown): error is KiteError {
  return error instanceof KiteError && error.message.includes("no kites found");
}
