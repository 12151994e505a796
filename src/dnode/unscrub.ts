import type { Callback, Step } from "./scrub.ts";
import { isCalledImplicitly, putAt, readPath, valueAt } from "./path.ts";

/** A callback id and the path of its function. */
export interface CallbackPlace {
  readonly id: number;
  readonly path: readonly Step[];
}

const NO_PLACES: readonly CallbackPlace[] = Object.freeze([]);

/**
 * Reads a message's `callbacks`. Skips invalid ids and paths.
 *
 * @returns the places, or undefined if there are more than `most`
 */
export function readCallbacks(
  callbacks: unknown,
  most: number,
  nesting: number,
): readonly CallbackPlace[] | undefined {
  if (typeof callbacks !== "object" || callbacks === null) return NO_PLACES;
  const places: CallbackPlace[] = [];
  let count = 0;
  for (const key in callbacks) {
    if (++count > most) return undefined;
    const id = readId(key);
    if (id === undefined) continue;
    const path = readPath((callbacks as Record<string, unknown>)[key], nesting);
    if (path !== undefined) places.push({ id, path });
  }
  return places;
}

function readId(text: string): number | undefined {
  if (text.length > 15) return undefined;
  const id = Number(text);
  return Number.isInteger(id) && id >= 0 && String(id) === text ? id : undefined;
}

/**
 * Puts functions at their paths. Skips paths that do not exist, and members that JavaScript calls
 * implicitly, such as `then` (see {@linkcode isCalledImplicitly}); these keep the placeholder text.
 *
 * A kite.js server folds `arguments` into one `{error, result}` but does not change the paths. If a
 * path that begins with 0 or 1 does not exist, it is looked up in that object (docs/protocol.md §4).
 */
export function placeCallbacks(
  args: unknown[],
  places: readonly CallbackPlace[],
  make: (id: number) => Callback,
): void {
  for (const { id, path } of places) {
    if (isCalledImplicitly(path[path.length - 1]!)) continue;
    if (args.length === 1 && valueAt(args, path) === undefined) {
      const folded = foldedPath(path);
      if (folded !== undefined && valueAt(args, folded) !== undefined) {
        putAt(args, folded, make(id));
        continue;
      }
    }
    putAt(args, path, make(id));
  }
}

function foldedPath(path: readonly Step[]): Step[] | undefined {
  const [first, ...rest] = path;
  switch (Number(first)) {
    case 0:
      return [0, "error", ...rest];
    case 1:
      return [0, "result", ...rest];
    default:
      return undefined;
  }
}

/**
 * Restores cycles from a message's `links` (kite.js only): puts the object or array at `from` at the
 * path `to` inside it. Skips invalid links and links that leave `arguments`.
 *
 * Also skips links whose target is not an ancestor. kite.js sends none, and a chain of them could
 * expand a few kilobytes into a value with too many paths to visit.
 */
export function placeLinks(args: unknown[], links: unknown, most: number, nesting: number): void {
  if (!Array.isArray(links)) return;
  for (const link of links.slice(0, most)) {
    if (typeof link !== "object" || link === null) continue;
    const from = readPath((link as { from?: unknown }).from, nesting);
    const to = readPath((link as { to?: unknown }).to, nesting);
    if (from === undefined || to === undefined || !isAncestor(from, to)) continue;
    const target = valueAt(args, from) ?? valueAt(args, foldedPath(from) ?? from);
    if (typeof target !== "object" || target === null) continue;
    if (!putAt(args, to, target)) putAt(args, foldedPath(to) ?? to, target);
  }
}

/** Compares steps as text, since kite.js writes array indices as strings. */
function isAncestor(from: readonly Step[], to: readonly Step[]): boolean {
  return from.length < to.length && from.every((step, i) => String(step) === String(to[i]));
}
