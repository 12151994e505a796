import type { Limits } from "../protocol/limits.ts";
import { type CompactCodec, newCompactCodec } from "../rpc/compact_codec.ts";

/** What reads and writes compact messages, see {@linkcode compactMessages}. */
export interface CompactMessages {
  /**
   * Creates the codec of one connection.
   *
   * @internal
   */
  readonly newCodec: (limits: Limits) => CompactCodec;
}

/**
 * Compact messages, for the option `compact` of a kite in a page. A call then takes fewer bytes, since
 * the identity and the token travel once. A page without them exchanges plain messages, as with Go
 * kites.
 *
 * @example
 * ```ts ignore
 * import { compactMessages, Kite } from "@kite/kite/client";
 *
 * const page = new Kite("page", "1.0.0", { compact: compactMessages });
 * ```
 */
export const compactMessages: CompactMessages = /* @__PURE__ */ Object.freeze({
  newCodec: newCompactCodec,
});
