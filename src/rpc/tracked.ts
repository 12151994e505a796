/** An item of a stream with a position in it, as it travels. */
export interface Tracked<Value> {
  /** The position; a producer can continue after it. */
  readonly $tracked: string;
  /** What the consumer gets. */
  readonly value: Value;
}

/**
 * Gives an item of a stream an id. When the connection of a typed stream is lost, the call is
 * repeated after a redial with the id of the last item that was taken, and the producer continues
 * after it, see {@linkcode KiteRequest.lastId}.
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

/** The metadata that carries the id of the last item to a producer. */
export const LAST_ID = "kite.lastId";

/** Characters of an id. */
const ID_LENGTH = 1_024;

/** True for the id of a tracked item. */
export function isTrackingId(id: unknown): id is string {
  return typeof id === "string" && id !== "" && id.length <= ID_LENGTH;
}

/** The parts of a tracked item; undefined for any other value. */
export function readTracked(item: unknown): { id: string; value: unknown } | undefined {
  if (typeof item !== "object" || item === null || !Object.hasOwn(item, "$tracked")) {
    return undefined;
  }
  const { $tracked: id, value } = item as { $tracked?: unknown; value?: unknown };
  return isTrackingId(id) ? { id, value } : undefined;
}
