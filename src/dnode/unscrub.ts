import type { Callback, Step } from "./scrub.ts";
import { isCalledImplicitly, putAt, readPath, valueAt } from "./path.ts";

/** A callback id and the path of its function. */
export interface CallbackPlace {
  readonly id: number;
  readonly path: readonly Step[];
}

/** Creates the local functions and streams that represent those of a remote. */
export interface RemoteValues {
  /** The function that invokes callback `id` of the remote. */
  callback(id: number): Callback;
  /** The stream whose functions are these two callbacks of the remote. */
  stream(pull: Callback, cancel: Callback): object;
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
 * Puts functions at their paths, and streams in place of their objects. Skips paths that do not
 * exist, and members that JavaScript calls implicitly, such as `then` (see
 * {@linkcode isCalledImplicitly}); these keep the placeholder text.
 *
 * A kite.js server folds `arguments` into one `{error, result}` but does not change the paths. If a
 * path that begins with 0 or 1 does not exist, it is looked up in that object (docs/protocol.md
 * §4).
 */
export function placeCallbacks(
  args: unknown[],
  places: readonly CallbackPlace[],
  remote: RemoteValues,
): void {
  /** The paths of objects that may be streams: those that got a function named `pull`. */
  let streams: (readonly Step[])[] | undefined;
  for (const { id, path } of places) {
    const last = path[path.length - 1]!;
    if (isCalledImplicitly(last)) continue;
    const folded = args.length === 1 && valueAt(args, path) === undefined
      ? foldedPath(path)
      : undefined;
    const target = folded !== undefined && valueAt(args, folded) !== undefined ? folded : path;
    const isPlaced = putAt(args, target, remote.callback(id));
    if (isPlaced && last === "pull" && target.length > 1) {
      (streams ??= []).push(target.slice(0, -1));
    }
  }
  for (const path of streams ?? []) {
    const functions = streamFunctions(valueAt(args, path));
    if (functions !== undefined) putAt(args, path, remote.stream(functions.pull, functions.cancel));
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
 * Restores cycles from a message's `links` (kite.js only): puts the object or array at `from` at
 * the path `to` inside it. Skips invalid links and links that leave `arguments`.
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

/** The functions of a stream that came in, if a value is one; see docs/protocol.md §9. */
export function streamFunctions(value: unknown): { pull: Callback; cancel: Callback } | undefined {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, "$stream")) {
    return undefined;
  }
  const { $stream, pull, cancel } = value as { [name: string]: unknown };
  if ($stream !== 1 || typeof pull !== "function" || typeof cancel !== "function") return undefined;
  return { pull: pull as Callback, cancel: cancel as Callback };
}
