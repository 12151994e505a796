/** An item of a stream with its position, in the form in which it is sent. */
export interface Tracked<Value> {
  /** The position, after which a producer can continue. */
  readonly $tracked: string;
  /** The item that the consumer receives. */
  readonly value: Value;
}

/**
 * Adds an id to an item of a stream. If the connection of a typed stream is lost, the client
 * reconnects and repeats the call with the id of the last item that was read. The producer
 * continues after that item, see {@linkcode KiteRequest.lastId}.
 *
 * @param id the position of the item, of at most 1,024 characters
 * @param value the item
 * @example
 * ```ts
 * import { tracked } from "@kite/kite";
 *
 * async function* lines(texts: readonly string[], lastId?: string) {
 *   const first = lastId === undefined ? 0 : Number(lastId) + 1;
 *   for (let i = first; i < texts.length; i++) yield tracked(`${i}`, texts[i]);
 * }
 * for await (const { value } of lines(["a", "b"], "0")) console.assert(value === "b");
 * ```
 */
export function tracked<Value>(id: string, value: Value): Tracked<Value> {
  return { $tracked: id, value };
}

/** The name of the metadata that contains the id of the last item. */
export const LAST_ID = "kite.lastId";

/** Maximum number of characters of an id. */
const ID_LENGTH = 1_024;

/** True for the id of a tracked item. */
export function isTrackingId(id: unknown): id is string {
  return typeof id === "string" && id !== "" && id.length <= ID_LENGTH;
}

/** Returns the parts of a tracked item; undefined for other values. */
export function readTracked(item: unknown): { id: string; value: unknown } | undefined {
  if (typeof item !== "object" || item === null || !Object.hasOwn(item, "$tracked")) {
    return undefined;
  }
  const { $tracked: id, value } = item as { $tracked?: unknown; value?: unknown };
  return isTrackingId(id) ? { id, value } : undefined;
}
