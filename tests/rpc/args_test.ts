import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { Args } from "../../src/rpc/args.ts";

const fn = () => 1;

Deno.test("Argument: returns values of the requested type", () => {
  const [a, b, c, d, e, f] = new Args(["s", -0.5, false, [1], { k: null }, fn]).sliceOfLength(6);
  assertEquals(a!.string(), "s");
  assertEquals(b!.number(), -0.5);
  assertEquals(c!.boolean(), false);
  assertEquals(d!.array().map((element) => element.number()), [1]);
  assertEquals(e!.object().has("k"), true);
  assertEquals(e!.object().has("toString"), false);
  assertEquals(e!.object().field("k").isNull, true);
  assertEquals(e!.object().field("toString").isNull, true);
  assertStrictEquals(f!.function(), fn);
});

Deno.test("Args: iterates over the arguments", () => {
  const args = new Args(["a", "b"]);
  assertEquals([...args].map((arg) => arg.string()), ["a", "b"]);
  assertEquals(args.length, 2);
  assertEquals(args.at(7).isNull, true);
  assertEquals(args.at(1).value, "b");
});

Deno.test("Argument: every error names the called method", () => {
  const args = new Args([5, { a: [1] }], "square");
  const refusals: [() => unknown, string][] = [
    [() => args.one(), 'Cannot call "square": expected 1 argument, got 2'],
    [() => args.at(0).string(), 'Cannot call "square": argument 1 must be a string, got a number'],
    [
      () => args.at(1).object().field("a").array()[0]!.string(),
      'Cannot call "square": argument 2.a[0] must be a string, got a number',
    ],
    [() => args.at(0).bytes(), 'Cannot call "square": argument 1 must be a string, got a number'],
    [
      () => new Args(["*"], "square").one().bytes(),
      'Cannot call "square": argument must be bytes as base64 text, got a string',
    ],
  ];
  for (const [read, message] of refusals) {
    assertEquals(String(assertThrows(read, KiteError)), `argumentError: ${message}`);
  }
  assertEquals(new Args(["AQL/"]).one().bytes(), new Uint8Array([1, 2, 255]));
});

const REFUSALS: [() => unknown, string][] = [
  [() => new Args([]).one(), "expected 1 argument, got 0"],
  [() => new Args([1, 2]).one(), "expected 1 argument, got 2"],
  [() => new Args([1]).sliceOfLength(2), "expected 2 arguments, got 1"],
  [() => new Args([1]).sliceOfLength(0), "expected 0 arguments, got 1"],
  [() => new Args([5]).one().string(), "argument must be a string, got a number"],
  [() => new Args([null]).one().string(), "argument must be a string, got null"],
  [() => new Args(["5"]).one().number(), "argument must be a number, got a string"],
  [() => new Args([Infinity]).one().number(), "argument must be a number, got Infinity"],
  [() => new Args([1]).one().boolean(), "argument must be a boolean, got a number"],
  [() => new Args([{}]).one().array(), "argument must be an array, got an object"],
  [() => new Args([[]]).one().object(), "argument must be an object, got an array"],
  [() => new Args([fn]).one().object(), "argument must be an object, got a function"],
  [() => new Args(["[Function]"]).one().function(), "argument must be a function, got a string"],
  [() => new Args([]).at(2).string(), "argument 3 must be a string, got nothing"],
  [() => new Args([1, true]).at(1).string(), "argument 2 must be a string, got a boolean"],
  [
    () => new Args([[1, [2, "x"]]]).one().array()[1]!.array()[1]!.number(),
    "argument[1][1] must be a number, got a string",
  ],
  [
    () => new Args([[1]]).one().sliceOfLength(2),
    "argument must be an array of 2, not of 1, got an array",
  ],
  [
    () => new Args([{ a: { b: 1 } }]).one().object().field("a").object().field("b").string(),
    "argument.a.b must be a string, got a number",
  ],
  [
    () => new Args([{}]).one().object().field("constructor").function(),
    "argument.constructor must be a function, got nothing",
  ],
];
for (const [read, message] of REFUSALS) {
  Deno.test(`refuses: ${message}`, () => {
    const error = assertThrows(read, KiteError) as KiteError;
    assertEquals(String(error), `argumentError: ${message}`);
  });
}
