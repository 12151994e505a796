/** What the programs of this folder agree on. */

/** The id of the kite behind the proxies. */
export const KITE_ID = "11111111-1111-4111-8111-111111111111";

/** Bytes of the large body. */
export const BODY_BYTES = 100_000_000;
