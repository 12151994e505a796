import { assertEquals, assertStrictEquals } from "@std/assert";
import fc from "fast-check";
import { isForbiddenStep, ownChild, putAt, readPath, valueAt } from "../../src/dnode/path.ts";
import { withUntouchedPrototypes } from "../security/prototypes.ts";

const FORBIDDEN = ["__proto__", "constructor", "prototype"];

Deno.test("readPath: reads names and indices", () => {
  for (const path of [[0], ["0", "withArgs", 3], ["", " "], [0, "toString", "length"]]) {
    assertStrictEquals(readPath(path, 8), path);
  }
});

Deno.test("readPath: refuses values that are not paths", () => {
  const none = [undefined, null, 5, "0.a", {}, { 0: 1, length: 1 }, [], [-1], [0.5], [NaN]];
  for (const value of [...none, [null], [[]], [{}], [true], [0, ["a"]], [Infinity]]) {
    assertStrictEquals(readPath(value, 8), undefined);
  }
});

Deno.test("readPath: limits the length by the nesting limit", () => {
  assertEquals(readPath(new Array(9).fill(0), 8)?.length, 9);
  assertStrictEquals(readPath(new Array(10).fill(0), 8), undefined);
});

for (const name of FORBIDDEN) {
  Deno.test(`readPath: refuses a path that contains ${name}`, () => {
    assertEquals(isForbiddenStep(name), true);
    assertStrictEquals(readPath([name], 8), undefined);
    assertStrictEquals(readPath([0, name, "x"], 8), undefined);
    assertStrictEquals(readPath([0, "x", name], 8), undefined);
  });
}

Deno.test("valueAt: follows only own properties", () => {
  assertStrictEquals(ownChild({}, "toString"), undefined);
  assertStrictEquals(ownChild([], "push"), undefined);
  assertStrictEquals(ownChild("text", "length"), undefined);
  assertStrictEquals(ownChild(() => {}, "name"), undefined);
  assertStrictEquals(ownChild(null, "a"), undefined);
  assertStrictEquals(valueAt({ a: [{ b: 7 }] }, ["a", "0", "b"]), 7);
  assertStrictEquals(valueAt({ a: [{ b: 7 }] }, ["a", 1, "b"]), undefined);
});

Deno.test("putAt: sets an existing or the next index of an array", () => {
  const list: unknown[] = ["a", "b"];
  assertEquals(putAt(list, [1], "B"), true);
  assertEquals(putAt(list, ["2"], "c"), true);
  assertEquals(list, ["a", "B", "c"]);
});

Deno.test("putAt: refuses other keys of an array", () => {
  const list: unknown[] = ["a", "b"];
  const others = ["", " ", "1.0", "01", "1e0", "0x1", "-0", "-1", "0.5", "length", "push", "x"];
  for (const step of [...others, 3, 1e9, 2 ** 32]) {
    assertEquals(putAt(list, [step], "Z"), false, `step ${step}`);
  }
  assertEquals(list, ["a", "b"]);
  assertEquals(Object.keys(list), ["0", "1"]);
});

Deno.test("putAt: sets any name of an object", () => {
  const value = {};
  assertEquals(putAt(value, ["hasOwnProperty"], 1), true);
  assertEquals(putAt(value, ["7"], 2), true);
  assertEquals(JSON.stringify(value), '{"7":2,"hasOwnProperty":1}');
});

Deno.test("putAt: refuses a path that does not exist", () => {
  for (const path of [["a", "b", "c"], ["n", "x"], ["s", 0], ["a", "toString", "x"]]) {
    assertEquals(putAt({ a: {}, n: null, s: "text" }, path, 1), false);
  }
});

Deno.test("putAt: paths from readPath never change a prototype", () => {
  const step = fc.oneof(
    fc.constantFrom(...FORBIDDEN, "toString", "valueOf", "a", "length", "0", ""),
    fc.integer({ min: -2, max: 4 }),
  );
  const targets = [{ a: [{ a: {} }] }, [[], { a: {} }], JSON.parse('{"__proto__":{"a":{}}}')];
  withUntouchedPrototypes(() =>
    fc.assert(fc.property(
      fc.constantFrom(...targets),
      fc.array(step, { maxLength: 5 }),
      (target, steps) => {
        const path = readPath(steps, 8);
        if (path !== undefined) putAt(structuredClone(target), path, "polluted");
      },
    ))
  );
});
