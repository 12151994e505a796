import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Caller } from "./caller.ts";
import { reported } from "./peers.ts";

/** The called kite. Not all of them pass every check. */
export type Callee = "ours" | "goServer" | "goClient" | "kitejsServer" | "kitejsClient";

/** One property of a call from one kite to another. */
export interface Check {
  readonly name: string;
  readonly run: (caller: Caller, callee: Callee) => Promise<void>;
  /** Callees that do not support this, with any caller. */
  readonly not?: readonly Callee[];
}

const KITE_JS = ["kitejsServer", "kitejsClient"] as const;

/** Texts with all kinds of characters, also those that SockJS and browsers handle wrongly. */
export const TEXTS: readonly string[] = [
  "",
  "plain",
  `quotes " ' \\ / and <tags> & more`,
  "\u0000\u0001\u001f\u007f\u0080\u009f\t\r\n",
  "ñ ß ü Ж ع ה 中 ไ ー",
  "e\u0301 a\u0308\u0323",
  "😀 👩‍👩‍👧‍👦 🇹🇷 👍🏽 𝒳 𠀋",
  "\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202e\u2060\u206f\ufeff",
  "\ufff0\ufff9\ufffd\ufffe\uffff",
  "\u{10ffff}\u{1f600}\u{fffe}",
];

const VALUES: readonly unknown[] = [
  0,
  -1.5,
  1e21,
  Number.MAX_SAFE_INTEGER,
  true,
  false,
  null,
  [],
  {},
  [[[]]],
  { a: { b: [{ c: null }] }, "": 1, "a.b": 2, "0": 3 },
];

interface TypedError {
  readonly type: string;
  readonly code: string;
}

async function errorOf(call: Promise<unknown>, message: string): Promise<TypedError> {
  return await assertRejects(() => call, Error, message) as Error & TypedError;
}

/** A kite.js server sends the arguments of a callback as one `{error, result}`. */
function seen(args: readonly unknown[], callee: Callee): readonly unknown[] {
  return callee === "kitejsServer" ? [{ error: args[0] }] : args;
}

/** Runs all checks that the callee can pass, one after the other. */
export async function checkCalls(caller: Caller, callee: Callee): Promise<void> {
  for (const { name, run, not } of CHECKS) {
    if (not?.includes(callee)) continue;
    await run(caller, callee).catch((cause) => {
      throw new Error(`${name}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    });
  }
}

const CHECKS: readonly Check[] = [
  {
    name: "a plain call",
    run: async (caller) => assertEquals(await caller.call("square", [4]), 16),
  },
  {
    name: "values of every kind",
    run: async (caller) => assertEquals(await caller.call("echo", VALUES), [...VALUES]),
  },
  {
    name: "texts of every kind",
    run: async (caller) => assertEquals(await caller.call("echo", TEXTS), [...TEXTS]),
  },
  {
    name: "no arguments",
    run: async (caller) => assertEquals(await caller.call("echo"), []),
  },
  {
    name: "a megabyte",
    run: async (caller) => {
      const text = "mega 😀 byte ".repeat(75_000);
      assert(await caller.call("echo", [text]).then((echo) => (echo as string[])[0] === text));
    },
  },
  {
    name: "many calls at once, each with its own answer",
    run: async (caller) => {
      const numbers = Array.from({ length: 50 }, (_, i) => i);
      const squares = await Promise.all(numbers.map((n) => caller.call("square", [n])));
      assertEquals(squares, numbers.map((n) => n * n));
    },
  },
  {
    name: "a plain error",
    run: async (caller) => {
      assertEquals((await errorOf(caller.call("fail"), "boom")).type, "genericError");
    },
  },
  {
    name: "an error with a type and a code",
    run: async (caller) => {
      const { type, code } = await errorOf(caller.call("failTyped"), "short and stout");
      assertEquals([type, code], ["teapotError", "418"]);
    },
  },
  {
    name: "a handler that dies",
    not: KITE_JS,
    run: async (caller) => {
      assertEquals((await errorOf(caller.call("panic"), "out of cheese")).type, "genericError");
    },
  },
  {
    name: "an unknown method",
    not: KITE_JS,
    run: async (caller) => {
      const { type } = await errorOf(caller.call("nosuch"), "Method not found: nosuch");
      assertEquals(type, "methodNotFound");
    },
  },
  {
    name: "a wrong argument",
    not: KITE_JS,
    run: async (caller) => {
      assertEquals((await errorOf(caller.call("square", ["x"]), "")).type, "argumentError");
      assertEquals((await errorOf(caller.call("square", []), "")).type, "argumentError");
    },
  },
  {
    name: "a function called once",
    run: async (caller, callee) => {
      assertEquals(await caller.call("callback", ["x", reported("once")]), "called");
      assertEquals(await caller.invocations("once"), [seen(["x"], callee)]);
    },
  },
  {
    name: "a function called many times, in order",
    run: async (caller, callee) => {
      assertEquals(await caller.call("countdown", [200, reported("tick")]), "liftoff");
      const wanted = Array.from({ length: 200 }, (_, i) => seen([200 - i], callee));
      assertEquals(await caller.invocations("tick", 200), wanted);
    },
  },
  {
    name: "a function in a result",
    not: ["kitejsServer"],
    run: async (caller) => {
      const { f } = await caller.call("fnResult") as { f: unknown };
      await caller.invoke(f, [20, reported("next")]);
      assertEquals(await caller.invocations("next"), [[21]]);
    },
  },
  {
    name: "a function given to a function",
    not: ["kitejsServer"],
    run: async (caller) => {
      assertEquals(await caller.call("nested", [reported("nest")]), "nested");
      const [[times] = []] = await caller.invocations("nest");
      await caller.invoke(times, [20, reported("product")]);
      assertEquals(await caller.invocations("product"), [[200]]);
    },
  },
  {
    name: "a call back over the same connection",
    run: async (caller) => assertEquals(await caller.call("reverse", ["cube", 3]), 27),
  },
  {
    name: "an error of a call back",
    run: async (caller) => {
      const { type, code } = await errorOf(
        caller.call("reverse", ["failTyped"]),
        "short and stout",
      );
      assertEquals([type, code], ["teapotError", "418"]);
    },
  },
  {
    name: "who calls",
    // It takes note of the caller on connections that came in, not on those that it dialled.
    not: ["goClient"],
    run: async (caller) => {
      const { kite } = await caller.call("whoami") as { kite: Record<string, unknown> };
      for (const field of ["username", "environment", "name", "version", "region", "id"]) {
        assert(typeof kite[field] === "string" && kite[field] !== "", field);
      }
    },
  },
  {
    name: "the built-ins that need nothing",
    run: async (caller) => {
      assertEquals(await caller.call("kite.ping"), "pong");
      const info = await caller.call("kite.systemInfo") as Record<string, unknown>;
      assertEquals(info.state, "RUNNING");
      assert(Number(info.totalMemoryLimit) > Number(info.memoryUsage));
      assert(Number(info.memoryUsage) > 1_000_000);
    },
  },
];
