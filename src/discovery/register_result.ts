import type { TrustUpdate } from "../auth/trust.ts";
import { readKiteKeyClaims } from "../auth/kite_key.ts";
import { KiteError } from "../protocol/errors.ts";
import { isKiteUrl } from "../transport/url.ts";

/** What Kontrol answers to a registration (docs/kontrol-protocol.md §2). */
export interface RegisterResult {
  /** The URL under which the kite is found from now on. */
  readonly url: string;
  /** Seconds between heartbeats, from 1 to 3,600; 0 where Kontrol names none. */
  readonly heartbeatInterval: number;
  /** The public key to trust from now on, after a change of keys. */
  readonly publicKey?: string;
  /** A kite.key signed anew, after a change of keys. */
  readonly kiteKey?: string;
  /** The statement of the former key that `publicKey` replaces it. */
  readonly keyHandover?: string;
  /** What heartbeats over HTTP must show, so that no one else keeps the kite alive. */
  readonly heartbeatToken?: string;
}

/** Seconds between heartbeats, whatever a Kontrol asks for: at least and at most. */
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

/** 0 for an interval that is no positive number of seconds, as where Kontrol names none. */
function boundedInterval(seconds: unknown): number {
  if (typeof seconds !== "number" || !(seconds > 0)) return 0;
  return Math.min(LONGEST_INTERVAL, Math.max(SHORTEST_INTERVAL, seconds));
}

/** The keys in an answer. Over HTTP the public key is only in the new kite.key's own claim. */
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
