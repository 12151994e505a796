import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { Callback } from "../../src/dnode/scrub.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { CallbackTable, IdCounter } from "../../src/rpc/callback_table.ts";

const [a, b, c]: Callback[] = [() => "a", () => "b", () => "c"];

function found(...functions: (Callback | undefined)[]) {
  return functions.map((callback, i) => ({ path: [i], callback: callback! }));
}

Deno.test("ids count up over all tables of one counter", () => {
  const ids = new IdCounter();
  assertEquals(new CallbackTable(ids, 9).handOut(found(a, b)), [0, 1]);
  assertEquals(ids.take(), 2);
  assertEquals(new CallbackTable(ids, 9).handOut(found(a)), [3]);
});

Deno.test("a function that is handed out again keeps its id", () => {
  const table = new CallbackTable(new IdCounter(), 9);
  assertEquals(table.handOut(found(a)), table.handOut(found(a)));
  assertEquals(table.size, 1);
  table.takeBack(found(a));
  assertStrictEquals(table.get(0), a);
  table.takeBack(found(a));
  assertEquals([table.get(0), table.size], [undefined, 0]);
});

Deno.test("a function in two places of a message has an id for each", () => {
  const table = new CallbackTable(new IdCounter(), 9);
  assertEquals(table.handOut(found(a, b, a)), [0, 1, 2]);
  assertEquals(table.handOut(found(a, a, a)), [0, 2, 3]);
  assertStrictEquals(table.get(2), a);
  table.takeBack(found(a, b, a));
  assertEquals(table.size, 3);
  table.takeBack(found(a, a, a));
  assertEquals(table.size, 0);
});

Deno.test("a full table takes none of a message", () => {
  const table = new CallbackTable(new IdCounter(), 2);
  table.handOut(found(a));
  const error = assertThrows(() => table.handOut(found(a, b, c)), KiteError) as KiteError;
  assertEquals(
    String(error),
    "limitError: the remote holds 2 functions already (limit: callbacksPerSession); " +
      "release those it no longer needs",
  );
  assertEquals(table.size, 1);
  assertEquals(table.handOut(found(b)).length, 1);
  assertThrows(() => table.handOut(found(a, a)), KiteError);
  table.takeBack(found(a));
  assertEquals(table.size, 1, "what failed was not counted");
});

Deno.test("a release forgets a function under all its ids, however often it was handed out", () => {
  const table = new CallbackTable(new IdCounter(), 9);
  table.handOut(found(a, a));
  table.handOut(found(a));
  assertEquals(table.release(a!), true);
  assertEquals(table.release(a!), false);
  assertEquals(table.size, 0);
  table.takeBack(found(a, a));
  assertEquals(table.handOut(found(a)), [2], "an id is never used again");
});

Deno.test("clear forgets all", () => {
  const table = new CallbackTable(new IdCounter(), 9);
  table.handOut(found(a, b));
  table.clear();
  assertEquals([table.size, table.get(0)], [0, undefined]);
});
