import type { Step } from "./scrub.ts";

/** Names that lead out of the data into the language's own objects. */
export function isForbiddenStep(step: string): boolean {
  return step === "__proto__" || step === "constructor" || step === "prototype";
}

/**
 * True for the names of members that JavaScript calls by itself: `await`, `JSON.stringify`, template
 * literals and comparisons do. A remote's function is never put there, so every value that came from
 * a remote may be awaited, printed and compared: it is inert.
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
 * A path as it came from the network, or undefined if it is not one: an array of 1 to `nesting + 1`
 * strings and non-negative integers without forbidden names.
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

/** The own property of a container, or undefined. */
export function ownChild(container: unknown, step: Step): unknown {
  if (typeof container !== "object" || container === null) return undefined;
  return Object.hasOwn(container, step) ? (container as Record<Step, unknown>)[step] : undefined;
}

/** What stands at a path, own properties only; undefined when it leads nowhere. */
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
 * Puts a value at a path, if all but its last step exists. An array takes an index within it or the
 * next one; an object takes any name.
 *
 * @returns whether it was put there
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
