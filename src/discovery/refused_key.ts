import { readKiteKeyClaims } from "../auth/kite_key.ts";
import { KiteError } from "../protocol/errors.ts";

/** Kontrol's messages for a kite.key that none of its key pairs has signed. */
const UNKNOWN_KEY = /no key pair found|kontrol key is not trusted|no kontrol key found/;

/**
 * Adds advice to the error when Kontrol refuses the kite.key. Returns other errors unchanged.
 *
 * @param url Kontrol's URL.
 */
export function explainRefusedKey(
  error: unknown,
  url: string,
  kiteKey: string | undefined,
): unknown {
  if (!(error instanceof KiteError) || error.type !== "authenticationError") return error;
  if (kiteKey === undefined || !UNKNOWN_KEY.test(error.message)) return error;
  const { kontrolURL = "" } = readKiteKeyClaims(kiteKey);
  const issued = kontrolURL === "" || kontrolURL === url
    ? ""
    : ` (it was issued for ${kontrolURL})`;
  return new KiteError(
    "authenticationError",
    `Cannot use this kite.key at Kontrol ${url}: ${error.message}. ` +
      `It belongs to another Kontrol${issued}, or to one that has lost its key pairs. ` +
      "Replace it with a kite.key of this Kontrol, or set kontrolUrl to the Kontrol that issued it",
    { cause: error, id: error.id },
  );
}
