import { KiteError, messageOf } from "../protocol/errors.ts";
import { hasToJson, isPlainInstance, isPlainObject, jsonValue, nameOf } from "./sendable.ts";
import { isStreamSource, STREAM_PLACEHOLDER, type StreamSource } from "./stream.ts";

/** A function that travels: called with plain values, its return value goes nowhere. */
// deno-lint-ignore no-explicit-any -- a user's callback may declare parameters of any type
export type Callback = (...args: any[]) => unknown;

/** One step of a path into `arguments`: an array index or an object key. */
export type Step = string | number;

/** A stream that is on its way to a remote: the two functions that stand for it there. */
export interface OpenedStream {
  /** Allows more items; the first call also hands over the functions for the items and the end. */
  readonly pull: Callback;
  /** Ends the stream: the consumer has left. */
  readonly cancel: Callback;
  /** True once the consumer has asked for items. */
  readonly isStarted: boolean;
  /** Ends the stream, as when the message that should have brought it could not be sent. */
  close(): void;
}

/** A function found inside a value, and where. */
export interface FoundFunction {
  readonly path: readonly Step[];
  readonly callback: Callback;
  /** The stream that the function belongs to, if it does. */
  readonly stream?: OpenedStream;
}

/** What stands on the wire in a function's place (docs/protocol.md §2). */
export const FUNCTION_PLACEHOLDER = "[Function]";

const NONE: readonly FoundFunction[] = Object.freeze([]);

/** The bounds that {@linkcode findFunctions} keeps. */
export interface ScrubBounds {
  /** How deep a value may be. */
  readonly nesting: number;
  /** How many values it may hold: those that no message has room for are not walked to their end. */
  readonly values: number;
  /** Opens a stream for an iterable in the value; without it, iterables are refused. */
  readonly openStream?: (source: StreamSource) => OpenedStream;
}

/**
 * Finds the functions inside a value, and refuses what JSON cannot carry.
 *
 * | value | on the wire |
 * |---|---|
 * | plain object, array | its own enumerable properties, its elements; `undefined` as in JSON |
 * | object with `toJSON` (`Date`, `URL`, …) | what that gives; an invalid `Date` is refused |
 * | instance of another class | its own enumerable properties; refused when it has none |
 * | function | a callback; refused when it has members, which would be lost |
 * | async iterable, `ReadableStream` | a stream: an object of two functions |
 * | `Map`, `Set`, `RegExp`, `Error`, `Promise`, typed array, boxed primitive, … | refused |
 * | `NaN`, `Infinity`, bigint, symbol, cycle | refused |
 *
 * Iterative: depth costs no stack.
 *
 * @throws {KiteError} `argumentError` for what JSON cannot carry and for a property that throws when
 * it is read, with the path of the culprit; `limitError` for a value over the bounds
 */
export function findFunctions(root: unknown, bounds: ScrubBounds): readonly FoundFunction[] {
  return isPlain(root, bounds) ? NONE : locate(root, bounds);
}

/** The fast pass: true when there is nothing to say of the value, which is nearly always. */
function isPlain(root: unknown, { nesting, values }: ScrubBounds): boolean {
  if (typeof root !== "object" || root === null) return isPlainLeaf(root);
  const stack: object[] = [root];
  const depths: number[] = [1];
  let count = 1;
  try {
    while (stack.length > 0) {
      const container = stack.pop()!;
      const depth = depths.pop()!;
      if (depth > nesting) return false;
      if (Array.isArray(container)) {
        if (hasToJson(container)) return false;
        if ((count += container.length) > values) return false;
        for (let i = 0; i < container.length; i++) {
          const child: unknown = container[i];
          if (typeof child === "object" && child !== null) {
            stack.push(child);
            depths.push(depth + 1);
          } else if (!isPlainLeaf(child)) return false;
        }
        continue;
      }
      if (!isPlainObject(container) || hasToJson(container)) return false;
      if (Symbol.asyncIterator in container) return false;
      const keys = Object.keys(container);
      if ((count += keys.length) > values) return false;
      for (const key of keys) {
        const child = (container as Record<string, unknown>)[key];
        if (typeof child === "object" && child !== null) {
          stack.push(child);
          depths.push(depth + 1);
        } else if (!isPlainLeaf(child)) return false;
      }
    }
    return true;
  } catch {
    return false; // a property threw: the slow pass says which
  }
}

function isPlainLeaf(value: unknown): boolean {
  switch (typeof value) {
    case "number":
      return Number.isFinite(value);
    case "function":
    case "bigint":
    case "symbol":
      return false;
    default:
      return true;
  }
}

/** A container on the way from the root, and how far it was walked. */
interface Level {
  readonly container: object;
  /** The names of an object's properties; undefined for an array. */
  readonly keys: readonly string[] | undefined;
  /** How many of its children were looked at. */
  next: number;
}

/** The slow pass: the same walk in order, with paths. It holds one entry a level. */
function locate(root: unknown, bounds: ScrubBounds): FoundFunction[] {
  const { nesting, values, openStream } = bounds;
  const found: FoundFunction[] = [];
  const levels: Level[] = [];
  const path: Step[] = [];
  const ancestors = new Set<object>();
  let count = 1;
  const visit = (given: unknown): void => {
    const value = jsonValue(given);
    if (typeof value === "function") {
      if (Object.keys(value).length > 0) throw unsendable("a function with members", path);
      found.push({ path: [...path], callback: value as Callback });
    } else if (typeof value !== "object" || value === null) {
      if (!isPlainLeaf(value)) throw unsendable(nameOf(value), path);
    } else if (openStream !== undefined && isStreamSource(value)) {
      const stream = openStream(value);
      found.push({ path: [...path, "pull"], callback: stream.pull, stream });
      found.push({ path: [...path, "cancel"], callback: stream.cancel, stream });
    } else {
      if (ancestors.has(value)) throw cyclic(path);
      if (levels.length >= nesting) throw tooDeep(path, nesting);
      const keys = Array.isArray(value) ? undefined : Object.keys(value);
      if (keys !== undefined && !isPlainObject(value)) checkInstance(value, keys, path);
      if ((count += (keys ?? value as unknown[]).length) > values) throw tooMany(values);
      levels.push({ container: value, keys, next: 0 });
      ancestors.add(value);
    }
  };
  try {
    visit(root);
    while (levels.length > 0) {
      const level = levels[levels.length - 1]!;
      const { container, keys } = level;
      path.length = levels.length - 1;
      if (level.next === (keys ?? container as unknown[]).length) {
        levels.pop();
        ancestors.delete(container);
        continue;
      }
      const step = keys?.[level.next] ?? level.next;
      level.next++;
      path.push(step);
      visit((container as Record<Step, unknown>)[step]);
    }
  } catch (error) {
    for (const { stream } of found) stream?.close();
    throw error instanceof KiteError ? error : unreadable(error, path);
  }
  return found;
}

/** Refuses an object of a class of which nothing, or not all, would arrive. */
function checkInstance(value: object, keys: readonly string[], path: readonly Step[]): void {
  if (keys.length === 0 || !isPlainInstance(value)) throw unsendable(nameOf(value), path);
}

function unsendable(what: string, path: readonly Step[]): KiteError {
  const where = path.length === 0 ? "" : ` at ${shown(path)}`;
  return new KiteError(
    "argumentError",
    `JSON cannot carry ${what}${where}; ` +
      `send finite numbers, strings, booleans, null, arrays, plain objects and functions`,
  );
}

function unreadable(error: unknown, path: readonly Step[]): KiteError {
  const where = path.length === 0 ? "" : ` at ${shown(path)}`;
  return new KiteError("argumentError", `Cannot read the value${where}: ${messageOf(error)}`, {
    cause: error,
  });
}

function cyclic(path: readonly Step[]): KiteError {
  return new KiteError("argumentError", `a cycle at ${shown(path)}: JSON cannot carry it`);
}

function tooDeep(path: readonly Step[], nesting: number): KiteError {
  const reason = `nested deeper than ${nesting} at ${shown(path)} (limit: nesting)`;
  return new KiteError("limitError", reason);
}

function tooMany(values: number): KiteError {
  const reason = `more than ${values} values fit in no message (limit: messageBytes)`;
  return new KiteError("limitError", reason);
}

function shown(path: readonly Step[]): string {
  return path.slice(0, 8).join(".") + (path.length > 8 ? "…" : "");
}

/**
 * The JSON text of a value whose functions were found by {@linkcode findFunctions}.
 * `undefined` becomes `null`.
 *
 * @throws {KiteError} `argumentError` when a property throws
 */
export function stringify(value: unknown, found: readonly FoundFunction[]): string {
  try {
    return (found.length === 0 ? JSON.stringify(value) : JSON.stringify(value, placeFunctions)) ??
      "null";
  } catch (error) {
    // A property or a `toJSON` that gave something else when it was read before.
    throw unreadable(error, []);
  }
}

function placeFunctions(_key: string, value: unknown): unknown {
  if (typeof value === "function") return FUNCTION_PLACEHOLDER;
  const isStream = typeof value === "object" && value !== null && isStreamSource(value);
  return isStream ? STREAM_PLACEHOLDER : value;
}
