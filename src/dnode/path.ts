import type { Step } from "./scrub.ts";

/** True for names that lead out of the data to JavaScript's built-in objects. */
export function isForbiddenStep(step: string): boolean {
  return step === "__proto__" || step === "constructor" || step === "prototype";
}

/**
 * True for members that JavaScript calls implicitly, in `await`, `JSON.stringify`, template literals
 * and comparisons. Functions of a remote are never placed there, so that values from a remote can be
 * awaited, printed and compared safely.
 */
export function isCalledImplicitly(step: Step): boolean {
  switch (step) {
    case "then":
    case "toJSON":
    case "toString":
    case "toLocaleString":
    case "valueOf":
      return true;
    default:
      return false;
  }
}

/**
 * Reads a path from the network: an array of 1 to `nesting + 1` strings and non-negative integers
 * without forbidden names.
 *
 * @returns the path, or undefined if it is invalid
 */
export function readPath(value: unknown, nesting: number): Step[] | undefined {
  if (!Array.isArray(value) || value.length === 0 || value.length > nesting + 1) return undefined;
  for (const step of value) {
    if (typeof step === "number" ? !(Number.isInteger(step) && step >= 0) : !isStepText(step)) {
      return undefined;
    }
  }
  return value as Step[];
}

function isStepText(step: unknown): boolean {
  return typeof step === "string" && !isForbiddenStep(step);
}

/** Returns an own property of a container, or undefined. */
export function ownChild(container: unknown, step: Step): unknown {
  if (typeof container !== "object" || container === null) return undefined;
  return Object.hasOwn(container, step) ? (container as Record<Step, unknown>)[step] : undefined;
}

/** Returns the value at a path of own properties; undefined if the path does not exist. */
export function valueAt(
  root: unknown,
  path: readonly Step[],
  length: number = path.length,
): unknown {
  let at = root;
  for (let i = 0; i < length; i++) at = ownChild(at, path[i]!);
  return at;
}

/**
 * Sets the value at a path whose parent exists. In an array, the index may be an existing one or the
 * next one; in an object, any name is accepted.
 *
 * @returns false if the value was not set
 */
export function putAt(root: unknown, path: readonly Step[], value: unknown): boolean {
  const container = valueAt(root, path, path.length - 1);
  if (typeof container !== "object" || container === null) return false;
  const step = path[path.length - 1]!;
  if (Array.isArray(container)) {
    const index = Number(step);
    const isIndex = Number.isInteger(index) && String(index) === String(step);
    if (!isIndex || index < 0 || index > container.length) return false;
    container[index] = value;
  } else {
    (container as Record<Step, unknown>)[step] = value;
  }
  return true;
}
