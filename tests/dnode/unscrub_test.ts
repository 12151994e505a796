import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import type { Callback } from "../../src/dnode/scrub.ts";
import {
  placeCallbacks,
  placeLinks,
  readCallbacks,
  type RemoteValues,
} from "../../src/dnode/unscrub.ts";

const NESTING = 16;

/** Functions that can be told apart: each gives its id. */
const make: RemoteValues = {
  callback: (id: number): Callback => () => id,
  stream: (pull, cancel) => ({ stream: [pull(), cancel()] }),
};

function place(args: unknown[], callbacks: unknown): unknown[] {
  placeCallbacks(args, readCallbacks(callbacks, 100, NESTING)!, make);
  return args;
}

/** The ids of the functions in a value, by JSON text. */
function shown(value: unknown): string {
  return JSON.stringify(value, (_key, v) => typeof v === "function" ? `f${v()}` : v);
}

Deno.test("readCallbacks: reads ids and paths, steps as numbers or strings", () => {
  const callbacks = { "0": [0, "responseCallback"], "12": ["0", "withArgs", "1"] };
  assertEquals(readCallbacks(callbacks, 2, NESTING), [
    { id: 0, path: [0, "responseCallback"] },
    { id: 12, path: ["0", "withArgs", "1"] },
  ]);
});

Deno.test("readCallbacks: returns none for values that are not objects", () => {
  for (const value of [undefined, null, 5, "x", true, [], {}]) {
    assertEquals(readCallbacks(value, 2, NESTING), []);
  }
});

Deno.test("readCallbacks: skips ids that are not decimal numbers", () => {
  const ids = ["abc", "", "-1", "1.0", "01", "1e3", "0x1", " 1", "1 ", "NaN", "Infinity", "-0"];
  for (const id of [...ids, "9007199254740993", "99999999999999999999"]) {
    assertEquals(readCallbacks({ [id]: [0], "5": [1] }, 9, NESTING), [{ id: 5, path: [1] }], id);
  }
});

Deno.test("readCallbacks: skips invalid paths", () => {
  for (const path of [null, "0", 5, [], {}, [null], [-1], [0, "__proto__", "x"], ["constructor"]]) {
    assertEquals(readCallbacks({ "4": path, "5": [1] }, 9, NESTING), [{ id: 5, path: [1] }]);
  }
});

Deno.test("readCallbacks: returns undefined for too many callbacks", () => {
  assertStrictEquals(readCallbacks({ "0": [0], "1": [1], x: [2] }, 2, NESTING), undefined);
  assertEquals(readCallbacks({ "0": [0], "1": [1] }, 2, NESTING)?.length, 2);
});

Deno.test("readCallbacks: skips an own property __proto__", () => {
  const callbacks = JSON.parse('{"__proto__":{"3":[0]},"1":[0]}');
  assertEquals(readCallbacks(callbacks, 9, NESTING), [{ id: 1, path: [0] }]);
});

Deno.test("placeCallbacks: replaces the value at each path", () => {
  const args = ["[Function]", { a: null, b: { c: 5 } }, ["x"]];
  place(args, { "1": [0], "2": [1, "a"], "3": ["1", "b", "c"], "4": [2, 1], "5": [1, "new"] });
  assertEquals(shown(args), '["f1",{"a":"f2","b":{"c":"f3"},"new":"f5"},["x","f4"]]');
});

Deno.test("placeCallbacks: skips only the paths that do not exist", () => {
  const args = [{ a: [] }];
  place(args, { "1": [5, "x"], "2": [0, "a", 7], "3": [0, "b", "c"], "4": [0, "a", 0] });
  assertEquals(shown(args), '[{"a":["f4"]}]');
});

Deno.test("placeCallbacks: does not follow paths through functions", () => {
  const args = [{ a: {} }];
  place(args, { "1": [0, "a"], "2": [0, "a", "b"] });
  assertEquals(shown(args), '[{"a":"f1"}]');
  assertEquals(Object.keys((args[0] as { a: Callback }).a), []);
});

Deno.test("placeCallbacks: maps the paths of a kite.js server to error and result", () => {
  const result = () => [{ error: null, result: { each: "[Function]", list: ["[Function]"] } }];
  assertEquals(
    shown(place(result(), { "7": ["1", "each"], "8": [1, "list", "0"] })),
    '[{"error":null,"result":{"each":"f7","list":["f8"]}}]',
  );
  assertEquals(
    shown(place([{ error: null, result: "[Function]" }], { "7": ["1"] })),
    '[{"error":null,"result":"f7"}]',
  );
  assertEquals(
    shown(place([{ error: { retry: "[Function]" }, result: null }], { "7": ["0", "retry"] })),
    '[{"error":{"retry":"f7"},"result":null}]',
  );
});

Deno.test("placeCallbacks: does not map a path that exists", () => {
  const args = [{ error: { x: 1 }, result: null, x: "[Function]" }];
  assertEquals(
    shown(place(args, { "7": [0, "x"] })),
    '[{"error":{"x":1},"result":null,"x":"f7"}]',
  );
  assertEquals(shown(place(["a", "[Function]"], { "7": [1] })), '["a","f7"]');
});

Deno.test("placeLinks: restores a cycle from a link to an ancestor", () => {
  const args: unknown[] = [{ withArgs: [{ a: 1, self: "[Circular]" }] }];
  placeLinks(args, [{ from: ["0", "withArgs", "0"], to: [0, "withArgs", 0, "self"] }], 9, NESTING);
  const [{ withArgs: [value] }] = args as [{ withArgs: [Record<string, unknown>] }];
  assertStrictEquals(value.self, value);
});

Deno.test("placeLinks: restores a cycle from a folded link of a kite.js server", () => {
  const args: unknown[] = [{ error: null, result: { a: 1, self: "[Circular]" } }];
  placeLinks(args, [{ from: ["1"], to: ["1", "self"] }], 9, NESTING);
  const [{ result }] = args as [{ result: Record<string, unknown> }];
  assertStrictEquals(result.self, result);
});

Deno.test("placeLinks: skips links that are invalid, leave the arguments, or are not to an ancestor", () => {
  const links = [
    null,
    5,
    {},
    { from: [0] },
    { from: [], to: [0, "x"] },
    { from: [0, "__proto__"], to: [0, "__proto__", "x"] },
    { from: [0, "constructor"], to: [0, "constructor", "x"] },
    { from: [0], to: [0, "__proto__"] },
    { from: [0, "a"], to: [0, "b"] },
    { from: [0, "a"], to: [0, "a"] },
    { from: [0, "a"], to: [0] },
    { from: [0, "text"], to: [0, "text", 0] },
    { from: [7], to: [7, "x"] },
  ];
  const args = [{ a: { z: 1 }, text: "t" }];
  placeLinks(args, links, 100, NESTING);
  for (const none of ["x", 5, { 0: links[9] }, null]) placeLinks(args, none, 100, NESTING);
  assertEquals(args, [{ a: { z: 1 }, text: "t" }]);
});

Deno.test("placeLinks: follows at most the allowed number of links", () => {
  const args = [{ a: {}, b: {} }];
  const links = [{ from: [0], to: [0, "a", "up"] }, { from: [0], to: [0, "b", "up"] }];
  placeLinks(args, links, 1, NESTING);
  assert(Object.hasOwn(args[0]!.a, "up"));
  assert(!Object.hasOwn(args[0]!.b, "up"));
});

for (const name of ["then", "toJSON", "toString", "toLocaleString", "valueOf"]) {
  Deno.test(`placeCallbacks: never places a function at ${name}`, () => {
    for (const placeholder of ["[Function]", null, 5]) {
      const args = [{ [name]: placeholder, other: "[Function]" }];
      assertEquals(
        shown(place(args, { "7": [0, name], "8": [0, "other"] })),
        JSON.stringify([{ [name]: placeholder, other: "f8" }]),
      );
    }
    assertEquals(shown(place([{}], { "7": ["0", name] })), "[{}]");
    const folded = [{ error: null, result: { [name]: "[Function]" } }];
    assertEquals(shown(place(folded, { "7": [1, name] })), JSON.stringify(folded));
  });
}
