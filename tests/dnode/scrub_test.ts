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

Deno.test("findFunctions: finds all functions in order, with their paths", () => {
  const [a, b, c, d] = [() => 1, () => 2, () => 3, () => 4];
  const value = [a, { x: [null, { "": b }], 7: c }, [[d]]];
  assertEquals(
    findFunctions(value, BOUNDS).map(({ path, callback }) => [path, callback]),
    [[[0], a], [[1, "7"], c], [[1, "x", 1, ""], b], [[2, 0, 0], d]],
  );
});

Deno.test("findFunctions: a function itself has an empty path", () => {
  const alone = () => {};
  assertEquals(findFunctions(alone, BOUNDS), [{ path: [], callback: alone }]);
});

Deno.test("findFunctions: finds classes, async functions and bound functions", () => {
  const bound = function () {}.bind(null);
  const found = findFunctions({ k: class {}, a: async () => {}, b: bound }, BOUNDS);
  assertEquals(found.map(({ path }) => path), [["k"], ["a"], ["b"]]);
});

Deno.test("findFunctions: finds none in plain values", () => {
  const shared = { a: 1 };
  for (const value of [undefined, null, 0, "", [], {}, [shared, shared], { a: [undefined] }]) {
    assertEquals(findFunctions(value, BOUNDS), []);
  }
});

Deno.test("findFunctions: ignores inherited properties", () => {
  class Greeter {
    name = "x";
    greet(): void {}
  }
  assertEquals(findFunctions(new Greeter(), BOUNDS), []);
  assertEquals(stringify(new Greeter(), []), '{"name":"x"}');
});

Deno.test("findFunctions: ignores symbol keys and non-enumerable properties", () => {
  const value = Object.defineProperty({ [Symbol("s")]: () => {} }, "hidden", { value: () => {} });
  assertEquals(findFunctions(value, BOUNDS), []);
});

Deno.test("findFunctions: uses the result of toJSON", () => {
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

class Hidden {
  #secret = 1;
  reveal(): number {
    return this.#secret;
  }
}

const UNSENDABLE: [unknown, string, string][] = [
  [{ a: [1, NaN] }, "NaN", "a.1"],
  [[[], { b: Infinity }], "Infinity", "1.b"],
  [{ x: -Infinity }, "-Infinity", "x"],
  [[10n], "a bigint", "0"],
  [{ s: { t: Symbol("t") } }, "a symbol", "s.t"],
  [[new Map([[1, 2]])], "a Map", "0"],
  [{ a: Object.assign(new Map(), { extra: 1 }) }, "a Map", "a"],
  [{ set: new Set([1]) }, "a Set", "set"],
  [[new WeakMap()], "a WeakMap", "0"],
  [[/x/g], "a RegExp", "0"],
  [[new Error("x")], "an Error", "0"],
  [[new KiteError("genericError", "x")], "an Error", "0"],
  [[Object.assign(new TypeError("x"), { code: 1 })], "an Error", "0"],
  [[Promise.resolve(1)], "a Promise (await it first)", "0"],
  [{ b: new Uint8Array(2) }, "an Uint8Array (encodeBytes makes text of bytes)", "b"],
  [{ b: new Float64Array(0) }, "a Float64Array (encodeBytes makes text of bytes)", "b"],
  [{ b: new ArrayBuffer(2) }, "an ArrayBuffer (encodeBytes makes text of bytes)", "b"],
  [{ b: new DataView(new ArrayBuffer(2)) }, "a DataView (encodeBytes makes text of bytes)", "b"],
  [[new Number(1)], "a Number", "0"],
  [[new String("x")], "a String", "0"],
  [[new Headers({ a: "b" })], "a Headers", "0"],
  [[new Hidden()], "a Hidden without enumerable properties", "0"],
  [[{ toJSON: () => new Map() }], "a Map", "0"],
  [[{ toJSON: () => [{ deep: 1n }] }], "a bigint", "0.0.deep"],
  [[Object.assign(() => {}, { member: 1 })], "a function with properties", "0"],
];

for (const [value, what, where] of UNSENDABLE) {
  Deno.test(`findFunctions: refuses ${what} at ${where} and names the path`, () => {
    const error = refusal(value);
    assertStringIncludes(
      error,
      `argumentError: Cannot send ${what} at ${where}: must be a finite number`,
    );
  });
}

Deno.test("findFunctions: refuses an invalid Date", () => {
  assertEquals(
    refusal({ at: [new Date(NaN)] }),
    "argumentError: Cannot read the value at at.0: the Date is invalid",
  );
});

Deno.test("findFunctions: refuses a property that throws any value", () => {
  for (const thrown of [new Error("no"), "no", { toString: 1 }, null, Object.create(null)]) {
    const value = {
      list: [{
        get bad(): unknown {
          throw thrown;
        },
      }],
    };
    assertStringIncludes(refusal(value), "argumentError: Cannot read the value at list.0.bad: ");
  }
  const proxy = new Proxy({}, {
    ownKeys() {
      throw new Error("no keys");
    },
  });
  assertStringIncludes(refusal([proxy]), "Cannot read the value at 0: no keys");
});

Deno.test("stringify: refuses a property that throws at the second reading", () => {
  let reads = 0;
  const value = {
    get moody(): number {
      if (++reads > 1) throw new Error("not again");
      return 1;
    },
  };
  const found = findFunctions(value, BOUNDS);
  const error = assertThrows(() => stringify(value, found), KiteError);
  assertEquals(String(error), "argumentError: Cannot read the value: not again");
});

Deno.test("findFunctions: accepts plain objects of another realm and without a prototype", () => {
  const other = Object.create(Object.create(null, { foreign: { value: true } }));
  other.a = 1;
  const bare = Object.assign(Object.create(null), { b: () => {} });
  const paths = findFunctions([other, bare], BOUNDS).map(({ path }) => path);
  assertEquals(paths, [[1, "b"]]);
});

Deno.test("findFunctions: finds functions in the result of toJSON", () => {
  const f = () => {};
  const value = [{ toJSON: () => ({ inner: [f] }) }];
  const found = findFunctions(value, BOUNDS);
  assertEquals(found, [{ path: [0, "inner", 0], callback: f }]);
  assertEquals(stringify(value, found), '[{"inner":["[Function]"]}]');
});

Deno.test("findFunctions: refuses NaN without naming a path", () => {
  assertStringIncludes(refusal(NaN), "Cannot send NaN: must be a finite number");
});

Deno.test("findFunctions: names the path that closes a cycle", () => {
  const value: Record<string, unknown> = { list: [{}] };
  (value.list as Record<string, unknown>[])[0]!.back = value;
  assertEquals(
    refusal(value),
    "argumentError: Cannot send a cycle at list.0.back: JSON has no cycles",
  );
});

Deno.test("findFunctions: accepts the same object in two places", () => {
  const shared = { n: [() => {}] };
  const paths = findFunctions({ a: shared, b: [shared] }, BOUNDS).map(({ path }) => path);
  assertEquals(paths, [["a", "n", 0], ["b", 0, "n", 0]]);
});

Deno.test("findFunctions: refuses values deeper than the limit, with the path", () => {
  let value: unknown = 1;
  for (let depth = 0; depth < 16; depth++) value = { d: value };
  assertEquals(findFunctions(value, BOUNDS), []);
  assertEquals(
    refusal({ d: value }),
    "limitError: Cannot send the value: nested deeper than 16 at d.d.d.d.d.d.d.d… (limit: nesting)",
  );
});

Deno.test("findFunctions: refuses very deep values without a stack overflow", () => {
  let value: unknown = () => {};
  for (let depth = 0; depth < 200_000; depth++) value = [value];
  assertStringIncludes(refusal(value), "nested deeper than 16");
});

Deno.test("findFunctions: stops at more values than a message can hold", () => {
  assertEquals(
    refusal(new Array(1e9)),
    "limitError: Cannot send the value: holds more than 1000 values (limit: messageBytes)",
  );
  let doubling: unknown = [];
  for (let i = 0; i < 15; i++) doubling = { l: doubling, r: doubling };
  assertStringIncludes(refusal(doubling), "more than 1000 values");
});

Deno.test("findFunctions: finds a cycle next to many values in linear time", () => {
  const wide: unknown[] = Array.from({ length: 400_000 }, () => []);
  wide.push(wide);
  const start = performance.now();
  const error = refusal(wide, { nesting: 512, values: 2_000_000 });
  assertEquals(error, "argumentError: Cannot send a cycle at 400000: JSON has no cycles");
  const took = performance.now() - start;
  if (took > 2_000) throw new Error(`it took ${took} ms`);
});

Deno.test("stringify: writes the placeholder for each function", () => {
  const value = { a: () => {}, b: [() => {}, undefined] };
  const text = stringify(value, findFunctions(value, BOUNDS));
  assertEquals(JSON.parse(text), {
    a: FUNCTION_PLACEHOLDER,
    b: [FUNCTION_PLACEHOLDER, null],
  });
});

Deno.test("stringify: writes undefined as null", () => {
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

Deno.test("findFunctions: agrees with a simple recursive search", () => {
  fc.assert(fc.property(tree, (value) => {
    const bounds = { nesting: 20, values: 1_000_000 };
    assertEquals(findFunctions(value, bounds).map(({ path }) => path), pathsOf(value));
  }));
});
