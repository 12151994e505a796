import type { TrustUpdate } from "../auth/trust.ts";
import { readKiteKeyClaims } from "../auth/kite_key.ts";
import { KiteError } from "../protocol/errors.ts";

/** What Kontrol answers to a registration (docs/kontrol-protocol.md §2). */
export interface RegisterResult {
  /** The URL under which the kite is found from now on. */
  readonly url: string;
  /** Seconds between heartbeats; 0 where Kontrol asks for them itself. */
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

/**
 * Reads the answer to a registration.
 *
 * @throws {KiteError} `invalidResponse`
 */
export function readRegisterResult(value: unknown): RegisterResult {
  if (typeof value !== "object" || value === null) throw invalid("it is no object");
  const { url, heartbeatInterval, publicKey, kiteKey, keyHandover, heartbeatToken } =
    value as Record<
      string,
      unknown
    >;
  if (typeof url !== "string" || url === "") throw invalid("it has no url");
  const interval = heartbeatInterval ?? 0;
  if (typeof interval !== "number" || !(interval >= 0)) {
    throw invalid("heartbeatInterval is no number");
  }
  return {
    url,
    heartbeatInterval: interval,
    ...textField("publicKey", publicKey),
    ...textField("kiteKey", kiteKey),
    ...textField("keyHandover", keyHandover),
    ...textField("heartbeatToken", heartbeatToken),
  };
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
  return new KiteError(
    "invalidResponse",
    `the answer to the registration is not usable: ${reason}`,
  );
}
