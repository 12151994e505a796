import { KiteError, messageOf } from "../protocol/errors.ts";
import { hasToJson, isPlainInstance, isPlainObject, jsonValue, nameOf } from "./sendable.ts";
import { isStreamSource, STREAM_PLACEHOLDER, type StreamSource } from "./stream.ts";

/** A function that a remote may call, with plain values. Its return value is ignored. */
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
  /** Runs at the end, except at that of the session. `isComplete` tells whether all items were sent. */
  onEnd: ((isComplete: boolean) => void) | undefined;
  /** Ends the stream, as when the message that should have brought it could not be sent. */
  close(): void;
}

/** A function found inside a value, with its path. */
export interface FoundFunction {
  readonly path: readonly Step[];
  readonly callback: Callback;
  /** The stream that the function belongs to, if it does. */
  readonly stream?: OpenedStream;
}

/** Replaces a function in the JSON text of a message (docs/protocol.md §2). */
export const FUNCTION_PLACEHOLDER = "[Function]";

const NONE: readonly FoundFunction[] = Object.freeze([]);

/** The limits that {@linkcode findFunctions} enforces. */
export interface ScrubBounds {
  /** The maximum depth of arrays and objects. */
  readonly nesting: number;
  /** The maximum number of values; the search stops at values that no message could hold. */
  readonly values: number;
  /** Opens a stream for an iterable in the value; without it, iterables are refused. */
  readonly openStream?: (source: StreamSource) => OpenedStream;
}

/**
 * Finds the functions inside a value, and rejects values that JSON cannot represent.
 *
 * | value | on the wire |
 * |---|---|
 * | plain object, array | its own enumerable properties, its elements; `undefined` as in JSON |
 * | object with `toJSON` (`Date`, `URL`, …) | the result of `toJSON`; an invalid `Date` is refused |
 * | instance of another class | its own enumerable properties; refused when it has none |
 * | function | a callback; refused if it has properties, which would be lost |
 * | async iterable, `ReadableStream` | a stream: an object of two functions |
 * | `Map`, `Set`, `RegExp`, `Error`, `Promise`, typed array, boxed primitive, … | refused |
 * | `NaN`, `Infinity`, bigint, symbol, cycle | refused |
 *
 * Works without recursion, so deep values do not overflow the stack.
 *
 * @throws {KiteError} `argumentError` for a value that JSON cannot represent and for a property that
 * throws when it is read, with its path; `limitError` for a value that exceeds the limits
 */
export function findFunctions(root: unknown, bounds: ScrubBounds): readonly FoundFunction[] {
  return isPlain(root, bounds) ? NONE : locate(root, bounds);
}

/** The fast pass: true if the value has no functions and no errors, as nearly all have. */
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
    return false; // a property threw; the slow pass reports which
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

/** A container on the current path, and how many of its children were visited. */
interface Level {
  readonly container: object;
  /** The names of an object's properties; undefined for an array. */
  readonly keys: readonly string[] | undefined;
  /** The index of the next child to visit. */
  next: number;
}

/** The slow pass: visits values in order and keeps their path, one entry per level. */
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
      if (Object.keys(value).length > 0) throw unsendable("a function with properties", path);
      found.push({ path: [...path], callback: value as Callback });
    } else if (typeof value !== "object" || value === null) {
      if (!isPlainLeaf(value)) throw unsendable(nameOf(value), path);
    } else if (openStream !== undefined && isStreamSource(value)) {
      const stream = openStream(value);
      found.push({ path: [...path, "pull"], callback: stream.pull, stream });
      found.push({ path: [...path, "cancel"], callback: stream.cancel, stream });
    } else {
      if (ancestors.has(value)) throw cyclic(path);
      if (levels.length >= nesting) {
        throw tooLarge(`nested deeper than ${nesting}${at(path)} (limit: nesting)`);
      }
      const keys = Array.isArray(value) ? undefined : Object.keys(value);
      if (keys !== undefined && !isPlainObject(value)) checkInstance(value, keys, path);
      if ((count += (keys ?? value as unknown[]).length) > values) {
        throw tooLarge(`holds more than ${values} values (limit: messageBytes)`);
      }
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

/** Rejects an instance of a class whose data would be lost, in part or completely. */
function checkInstance(value: object, keys: readonly string[], path: readonly Step[]): void {
  if (keys.length === 0 || !isPlainInstance(value)) throw unsendable(nameOf(value), path);
}

function unsendable(what: string, path: readonly Step[]): KiteError {
  return new KiteError(
    "argumentError",
    `Cannot send ${what}${at(path)}: must be a finite number, string, boolean, null, array, ` +
      "plain object or function",
  );
}

function unreadable(cause: unknown, path: readonly Step[]): KiteError {
  const message = `Cannot read the value${at(path)}: ${messageOf(cause)}`;
  return new KiteError("argumentError", message, { cause });
}

function cyclic(path: readonly Step[]): KiteError {
  return new KiteError("argumentError", `Cannot send a cycle${at(path)}: JSON has no cycles`);
}

function tooLarge(reason: string): KiteError {
  return new KiteError("limitError", `Cannot send the value: ${reason}`);
}

/** Says where a value is. */
function at(path: readonly Step[]): string {
  if (path.length === 0) return "";
  return ` at ${path.slice(0, 8).join(".")}${path.length > 8 ? "…" : ""}`;
}

/**
 * Encodes a value as JSON, with placeholders for the functions that {@linkcode findFunctions} found.
 * `undefined` becomes `null`.
 *
 * @throws {KiteError} `argumentError` if a property throws
 */
export function stringify(value: unknown, found: readonly FoundFunction[]): string {
  try {
    return (found.length === 0 ? JSON.stringify(value) : JSON.stringify(value, placeFunctions)) ??
      "null";
  } catch (error) {
    // A property or `toJSON` returned another value than at the first reading.
    throw unreadable(error, []);
  }
}

function placeFunctions(_key: string, value: unknown): unknown {
  if (typeof value === "function") return FUNCTION_PLACEHOLDER;
  const isStream = typeof value === "object" && value !== null && isStreamSource(value);
  return isStream ? STREAM_PLACEHOLDER : value;
}
