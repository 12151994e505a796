import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  findFunctions,
  FUNCTION_PLACEHOLDER,
  type ScrubBounds,
  stringify,
} from "../../src/dnode/scrub.ts";
import { KiteError } from "../../src/protocol/errors.ts";

const BOUNDS: ScrubBounds = { nesting: 16, values: 1_000 };

function refusal(value: unknown, bounds = BOUNDS): string {
  return String(assertThrows(() => findFunctions(value, bounds), KiteError));
}

Deno.test("finds functions wherever they stand, in order, with their paths", () => {
  const [a, b, c, d] = [() => 1, () => 2, () => 3, () => 4];
  const value = [a, { x: [null, { "": b }], 7: c }, [[d]]];
  assertEquals(
    findFunctions(value, BOUNDS).map(({ path, callback }) => [path, callback]),
    [[[0], a], [[1, "7"], c], [[1, "x", 1, ""], b], [[2, 0, 0], d]],
  );
});

Deno.test("a function alone has an empty path", () => {
  const alone = () => {};
  assertEquals(findFunctions(alone, BOUNDS), [{ path: [], callback: alone }]);
});

Deno.test("a class, an async and a bound function are functions as well", () => {
  const bound = function () {}.bind(null);
  const found = findFunctions({ k: class {}, a: async () => {}, b: bound }, BOUNDS);
  assertEquals(found.map(({ path }) => path), [["k"], ["a"], ["b"]]);
});

Deno.test("plain values hold none", () => {
  const shared = { a: 1 };
  for (const value of [undefined, null, 0, "", [], {}, [shared, shared], { a: [undefined] }]) {
    assertEquals(findFunctions(value, BOUNDS), []);
  }
});

Deno.test("what only the prototype has does not travel", () => {
  class Greeter {
    name = "x";
    greet(): void {}
  }
  assertEquals(findFunctions(new Greeter(), BOUNDS), []);
  assertEquals(stringify(new Greeter(), []), '{"name":"x"}');
});

Deno.test("symbols as keys and properties that are not enumerable do not travel", () => {
  const value = Object.defineProperty({ [Symbol("s")]: () => {} }, "hidden", { value: () => {} });
  assertEquals(findFunctions(value, BOUNDS), []);
});

Deno.test("an object with toJSON is left to it", () => {
  const date = new Date(0);
  const own = { toJSON: () => ({ seen: true }), f: () => {}, big: 1n };
  const f = () => {};
  const value = [date, own, new URL("http://h/"), f];
  const found = findFunctions(value, BOUNDS);
  assertEquals(found, [{ path: [3], callback: f }]);
  assertEquals(
    stringify(value, found),
    '["1970-01-01T00:00:00.000Z",{"seen":true},"http://h/","[Function]"]',
  );
});

const UNSENDABLE: [unknown, string, string][] = [
  [{ a: [1, NaN] }, "NaN", "a.1"],
  [[[], { b: Infinity }], "Infinity", "1.b"],
  [{ x: -Infinity }, "-Infinity", "x"],
  [[10n], "a bigint", "0"],
  [{ s: { t: Symbol("t") } }, "a symbol", "s.t"],
];

for (const [value, what, where] of UNSENDABLE) {
  Deno.test(`refuses ${what} and says where it is`, () => {
    const error = refusal(value);
    assertStringIncludes(
      error,
      `argumentError: JSON cannot carry ${what} at ${where}; send finite`,
    );
  });
}

Deno.test("refuses a bare NaN without a path", () => {
  assertStringIncludes(refusal(NaN), "JSON cannot carry NaN; send");
});

Deno.test("names a cycle by the place that closes it", () => {
  const value: Record<string, unknown> = { list: [{}] };
  (value.list as Record<string, unknown>[])[0]!.back = value;
  assertEquals(refusal(value), "argumentError: a cycle at list.0.back: JSON cannot carry it");
});

Deno.test("the same object in two places is no cycle", () => {
  const shared = { n: [() => {}] };
  const paths = findFunctions({ a: shared, b: [shared] }, BOUNDS).map(({ path }) => path);
  assertEquals(paths, [["a", "n", 0], ["b", 0, "n", 0]]);
});

Deno.test("depth is allowed up to the bound and refused beyond, with the place", () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 16; depth++) value = { d: value };
  assertEquals(findFunctions(value, BOUNDS), []);
  assertEquals(
    refusal({ d: value }),
    "limitError: nested deeper than 16 at d.d.d.d.d.d.d.d… (limit: nesting)",
  );
});

Deno.test("a value far too deep costs no stack", () => {
  let value: unknown = () => {};
  for (let depth = 0; depth < 200_000; depth++) value = [value];
  assertStringIncludes(refusal(value), "nested deeper than 16");
});

Deno.test("a value with more in it than a message holds is not walked to its end", () => {
  assertEquals(
    refusal(new Array(1e9)),
    "limitError: more than 1000 values fit in no message (limit: messageBytes)",
  );
  let doubling: unknown = [];
  for (let i = 0; i < 15; i++) doubling = { l: doubling, r: doubling };
  assertStringIncludes(refusal(doubling), "more than 1000 values");
});

Deno.test("a cycle beside a great many values is found without walking them again and again", () => {
  const wide: unknown[] = Array.from({ length: 400_000 }, () => []);
  wide.push(wide);
  const start = performance.now();
  const error = refusal(wide, { nesting: 512, values: 2_000_000 });
  assertEquals(error, "argumentError: a cycle at 400000: JSON cannot carry it");
  const took = performance.now() - start;
  if (took > 2_000) throw new Error(`it took ${took} ms`);
});

Deno.test("stringify puts the placeholder where a function stands", () => {
  const value = { a: () => {}, b: [() => {}, undefined] };
  const text = stringify(value, findFunctions(value, BOUNDS));
  assertEquals(JSON.parse(text), {
    a: FUNCTION_PLACEHOLDER,
    b: [FUNCTION_PLACEHOLDER, null],
  });
});

Deno.test("stringify writes undefined as null", () => {
  assertEquals(stringify(undefined, []), "null");
});

/** A reference for the paths: recursive, and slow. */
function pathsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value === "function") return [path];
  if (typeof value !== "object" || value === null) return [];
  const steps = Array.isArray(value) ? value.keys() : Object.keys(value);
  return [...steps].flatMap((step) =>
    pathsOf((value as Record<string | number, unknown>)[step], [...path, step])
  );
}

const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
  fc.constant(() => {}),
);
const { tree } = fc.letrec<{ tree: unknown; branch: unknown }>((tie) => ({
  tree: fc.oneof({ depthSize: "medium", maxDepth: 8 }, leaf, tie("branch")),
  branch: fc.oneof(
    fc.array(tie("tree"), { maxLength: 5 }),
    fc.dictionary(fc.string({ maxLength: 8 }), tie("tree"), { maxKeys: 5 }),
  ),
}));

Deno.test("finds what a plain recursive search finds", () => {
  fc.assert(fc.property(tree, (value) => {
    const bounds = { nesting: 20, values: 1_000_000 };
    assertEquals(findFunctions(value, bounds).map(({ path }) => path), pathsOf(value));
  }));
});
