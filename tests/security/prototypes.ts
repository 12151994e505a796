import { assertEquals } from "@std/assert";

const WATCHED: readonly object[] = [
  Object.prototype,
  Array.prototype,
  Function.prototype,
  String.prototype,
  Number.prototype,
  Promise.prototype,
  Map.prototype,
  Object,
  Array,
  Function,
];

/** What the objects of the language look like: their own properties, values and all. */
function picture(): unknown[] {
  return WATCHED.map((object) => Object.entries(Object.getOwnPropertyDescriptors(object)));
}

/** Runs something, and fails if a prototype of the language is not as before. */
export function withUntouchedPrototypes<Result>(run: () => Result): Result {
  const before = picture();
  const check = () => assertEquals(picture(), before, "a prototype was touched");
  const result = run();
  if (result instanceof Promise) return result.finally(check) as Result;
  check();
  return result;
}
