import type { TrustUpdate } from "../auth/trust.ts";
import { readKiteKeyClaims } from "../auth/kite_key.ts";
import { KiteError } from "../protocol/errors.ts";
import { isKiteUrl } from "../transport/url.ts";

/** Kontrol's answer to a registration (docs/kontrol-protocol.md §2). */
export interface RegisterResult {
  /** The registered URL of the kite. */
  readonly url: string;
  /** Seconds between heartbeats, from 1 to 3,600; 0 if Kontrol names none. */
  readonly heartbeatInterval: number;
  /** After a key change, the new public key to trust. */
  readonly publicKey?: string;
  /** After a key change, the new kite.key. */
  readonly kiteKey?: string;
  /** The statement, signed with the former key, that `publicKey` replaces it. */
  readonly keyHandover?: string;
  /** The token that authenticates heartbeats over HTTP. */
  readonly heartbeatToken?: string;
}

/** Accepted range of seconds between heartbeats. Other values are adjusted. */
const SHORTEST_INTERVAL = 1;
const LONGEST_INTERVAL = 3_600;

/**
 * Reads the answer to a registration.
 *
 * @throws {KiteError} `invalidResponse`
 */
export function readRegisterResult(value: unknown): RegisterResult {
  if (typeof value !== "object" || value === null) throw invalid("it must be an object");
  const { url, heartbeatInterval, publicKey, kiteKey, keyHandover, heartbeatToken } =
    value as Readonly<Record<string, unknown>>;
  if (!isKiteUrl(url)) throw invalid("its url must be a URL that kites can dial");
  return {
    url,
    heartbeatInterval: boundedInterval(heartbeatInterval),
    ...textField("publicKey", publicKey),
    ...textField("kiteKey", kiteKey),
    ...textField("keyHandover", keyHandover),
    ...textField("heartbeatToken", heartbeatToken),
  };
}

/** Returns 0 for an interval that is missing or not a positive number. */
function boundedInterval(seconds: unknown): number {
  if (typeof seconds !== "number" || !(seconds > 0)) return 0;
  return Math.min(LONGEST_INTERVAL, Math.max(SHORTEST_INTERVAL, seconds));
}

/** Returns the new keys in an answer. Over HTTP, the public key is only a claim of the kite.key. */
export function trustUpdateOf({ kiteKey, publicKey, keyHandover }: RegisterResult): TrustUpdate {
  if (publicKey !== undefined || kiteKey === undefined) {
    return { kiteKey, kontrolKey: publicKey, keyHandover };
  }
  return { kiteKey, kontrolKey: readKiteKeyClaims(kiteKey).kontrolKey, keyHandover };
}

function textField(name: string, value: unknown): Record<string, string> {
  return typeof value === "string" && value !== "" ? { [name]: value } : {};
}

function invalid(reason: string): KiteError {
  return new KiteError("invalidResponse", `Cannot read the answer to the registration: ${reason}`);
}
