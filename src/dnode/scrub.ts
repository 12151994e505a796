import { KiteError } from "../protocol/errors.ts";

/** A function that travels: called with plain values, its return value goes nowhere. */
// deno-lint-ignore no-explicit-any -- a user's callback may declare parameters of any type
export type Callback = (...args: any[]) => unknown;

/** One step of a path into `arguments`: an array index or an object key. */
export type Step = string | number;

/** A function found inside a value, and where. */
export interface FoundFunction {
  readonly path: readonly Step[];
  readonly callback: Callback;
}

/** What stands on the wire in a function's place (wire.md 2). */
export const FUNCTION_PLACEHOLDER = "[Function]";

const NONE: readonly FoundFunction[] = Object.freeze([]);

/**
 * Finds the functions inside a value, and refuses what JSON cannot carry.
 *
 * Own enumerable properties only. An object with a `toJSON` method (a `Date`, a `URL`) is left to it.
 * Iterative: depth costs no stack.
 *
 * @param root the value to look through
 * @param nesting how deep it may be, {@linkcode Limits.nesting}
 * @param prefix steps put before each path
 * @throws {KiteError} `argumentError` for a number that is not finite, a bigint, a symbol, a cycle or
 * too deep a value, with the path of the culprit
 */
export function findFunctions(
  root: unknown,
  nesting: number,
  prefix: readonly Step[] = [],
): readonly FoundFunction[] {
  return isPlain(root, nesting) ? NONE : locate(root, nesting, prefix);
}

/** The fast pass: true when there is nothing to say of the value, which is nearly always. */
function isPlain(root: unknown, nesting: number): boolean {
  if (typeof root !== "object" || root === null) return isPlainLeaf(root);
  const stack: object[] = [root];
  const depths: number[] = [1];
  while (stack.length > 0) {
    const container = stack.pop()!;
    const depth = depths.pop()!;
    if (depth > nesting) return false;
    if (hasToJson(container)) continue;
    if (Array.isArray(container)) {
      for (let i = 0; i < container.length; i++) {
        const child: unknown = container[i];
        if (typeof child === "object" && child !== null) {
          stack.push(child);
          depths.push(depth + 1);
        } else if (!isPlainLeaf(child)) return false;
      }
      continue;
    }
    for (const key of Object.keys(container)) {
      const child = (container as Record<string, unknown>)[key];
      if (typeof child === "object" && child !== null) {
        stack.push(child);
        depths.push(depth + 1);
      } else if (!isPlainLeaf(child)) return false;
    }
  }
  return true;
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

function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === "function";
}

interface Place {
  readonly value: unknown;
  readonly step: Step | undefined;
  readonly parent: Place | undefined;
  readonly depth: number;
}

/** The slow pass: the same walk with paths. */
function locate(root: unknown, nesting: number, prefix: readonly Step[]): FoundFunction[] {
  const found: FoundFunction[] = [];
  const stack: Place[] = [{ value: root, step: undefined, parent: undefined, depth: 0 }];
  while (stack.length > 0) {
    const place = stack.pop()!;
    const { value } = place;
    if (typeof value === "function") {
      found.push({ path: pathOf(place, prefix), callback: value as Callback });
    } else if (typeof value !== "object" || value === null) {
      if (!isPlainLeaf(value)) throw unsendable(place, prefix);
    } else if (!hasToJson(value)) {
      if (place.depth >= nesting) throw tooDeep(place, prefix, nesting);
      const keys: Step[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
      for (let i = keys.length - 1; i >= 0; i--) {
        const step = keys[i]!;
        const child = (value as Record<Step, unknown>)[step];
        stack.push({ value: child, step, parent: place, depth: place.depth + 1 });
      }
    }
  }
  return found;
}

function pathOf(place: Place, prefix: readonly Step[]): Step[] {
  const steps: Step[] = [];
  for (let at: Place | undefined = place; at?.step !== undefined; at = at.parent) {
    steps.push(at.step);
  }
  return [...prefix, ...steps.reverse()];
}

function unsendable(place: Place, prefix: readonly Step[]): KiteError {
  const where = pathOf(place, prefix).join(".");
  return new KiteError(
    "argumentError",
    `JSON cannot carry ${describe(place.value)}${where === "" ? "" : ` at ${where}`}; ` +
      `send finite numbers, strings, booleans, null, arrays, objects and functions`,
  );
}

function describe(value: unknown): string {
  return typeof value === "number" ? String(value) : `a ${typeof value}`;
}

function tooDeep(place: Place, prefix: readonly Step[], nesting: number): KiteError {
  const steps = pathOf(place, prefix);
  const where = steps.slice(0, 8).join(".") + (steps.length > 8 ? "…" : "");
  const cyclic = new Set<unknown>();
  for (let at = place.parent; at !== undefined; at = at.parent) {
    if (cyclic.has(at.value)) {
      return new KiteError("argumentError", `a cycle at ${where}: JSON cannot carry it`);
    }
    cyclic.add(at.value);
  }
  return new KiteError("limitError", `nested deeper than ${nesting} at ${where} (limit: nesting)`);
}

/**
 * The JSON text of a value whose functions were found by {@linkcode findFunctions}.
 * `undefined` becomes `null`.
 */
export function stringify(value: unknown, found: readonly FoundFunction[]): string {
  return (found.length === 0 ? JSON.stringify(value) : JSON.stringify(value, placeFunctions)) ??
    "null";
}

function placeFunctions(_key: string, value: unknown): unknown {
  return typeof value === "function" ? FUNCTION_PLACEHOLDER : value;
}
