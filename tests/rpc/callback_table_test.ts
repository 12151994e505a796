import { assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import type { Callback } from "../../src/dnode/scrub.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { CallbackTable, IdCounter } from "../../src/rpc/callback_table.ts";

const [a, b, c]: Callback[] = [() => "a", () => "b", () => "c"];

function found(...functions: (Callback | undefined)[]) {
  return functions.map((callback, i) => ({ path: [i], callback: callback! }));
}

function tableOf(
  most: number,
  ids = new IdCounter(),
  warnings: string[] = [],
  revoked: number[] = [],
): CallbackTable {
  return new CallbackTable(
    ids,
    most,
    (message) => void warnings.push(message),
    (gone) => void revoked.push(...gone),
  );
}

Deno.test("IdCounter: its ids are unique across tables", () => {
  const ids = new IdCounter();
  assertEquals(tableOf(9, ids).handOut(found(a, b)), [0, 1]);
  assertEquals(ids.take(), 2);
  assertEquals(tableOf(9, ids).handOut(found(a)), [3]);
});

Deno.test("CallbackTable: a function that is sent again keeps its id", () => {
  const table = tableOf(9);
  assertEquals(table.handOut(found(a)), table.handOut(found(a)));
  assertEquals(table.size, 1);
  table.takeBack(found(a));
  assertStrictEquals(table.get(0), a);
  table.takeBack(found(a));
  assertEquals([table.get(0), table.size], [undefined, 0]);
});

Deno.test("CallbackTable: a function that occurs twice in a message has two ids", () => {
  const table = tableOf(9);
  assertEquals(table.handOut(found(a, b, a)), [0, 1, 2]);
  assertEquals(table.handOut(found(a, a, a)), [0, 2, 3]);
  assertStrictEquals(table.get(2), a);
  table.takeBack(found(a, b, a));
  assertEquals(table.size, 3);
  table.takeBack(found(a, a, a));
  assertEquals(table.size, 0);
});

Deno.test("CallbackTable: a full table adds no function of a message", () => {
  const table = tableOf(2);
  table.handOut(found(a));
  const error = assertThrows(() => table.handOut(found(a, b, c)), KiteError) as KiteError;
  assertEquals(
    String(error),
    "limitError: Cannot send a function: the remote holds 2 already (limit: callbacksPerSession); " +
      "release those that it no longer needs",
  );
  assertEquals(table.size, 1);
  assertEquals(table.handOut(found(b)).length, 1);
  assertThrows(() => table.handOut(found(a, a)), KiteError);
  table.takeBack(found(a));
  assertEquals(table.size, 1, "what failed was not counted");
});

Deno.test("CallbackTable.release: removes all ids of a function, however often it was sent", () => {
  const table = tableOf(9);
  table.handOut(found(a, a));
  table.handOut(found(a));
  assertEquals(table.release(a!), true);
  assertEquals(table.release(a!), false);
  assertEquals(table.size, 0);
  table.takeBack(found(a, a));
  assertEquals(table.handOut(found(a)), [2], "an id is never used again");
});

Deno.test("CallbackTable.clear: removes all functions", () => {
  const table = tableOf(9);
  table.handOut(found(a, b));
  table.clear();
  assertEquals([table.size, table.get(0)], [0, undefined]);
});

Deno.test("CallbackTable: functions of ended calls are removed first, least recently used before others", () => {
  const table = tableOf(3);
  const [d, e] = [() => "d", () => "e"];
  for (const one of [a, b, c]) {
    table.handOut(found(one));
    table.leave(one!);
  }
  assertStrictEquals(table.get(0), a);
  assertEquals(table.handOut(found(d)), [3]);
  assertEquals([table.get(0), table.get(1), table.get(2), table.get(3)], [a, undefined, c, d]);
  assertEquals(table.handOut(found(a)), [0], "what is handed out again keeps its id");
  table.handOut(found(e));
  assertEquals([table.get(0), table.get(2), table.get(3)], [a, undefined, d]);
  assertThrows(() => table.handOut(found(b)), KiteError, "the remote holds 3 already");
  table.leave(a!);
  assertEquals(table.handOut(found(b)), [5]);
  assertEquals(table.size, 3);
});

Deno.test("CallbackTable: a function kept after one call stays when later calls take it back", () => {
  const table = tableOf(9);
  table.handOut(found(a));
  table.leave(a!);
  table.handOut(found(a));
  table.takeBack(found(a));
  assertStrictEquals(table.get(0), a);
});

Deno.test("CallbackTable: a message with too many functions changes nothing", () => {
  const table = tableOf(3);
  table.handOut(found(a));
  table.handOut(found(b));
  table.leave(b!);
  const [d, e] = [() => "d", () => "e"];
  assertThrows(() => table.handOut(found(b, c, d, e)), KiteError);
  assertStrictEquals(table.get(0), a);
  assertStrictEquals(table.get(1), b);
});

Deno.test("CallbackTable: warns once, before it is full", () => {
  const warnings: string[] = [];
  const table = tableOf(10, new IdCounter(), warnings);
  for (let i = 0; i < 7; i++) table.handOut(found(() => i));
  assertEquals(warnings, []);
  for (let i = 0; i < 3; i++) table.handOut(found(() => i));
  assertEquals(warnings.length, 1);
  assertEquals(
    warnings[0],
    "the remote holds 8 functions of at most 10 (limit: callbacksPerSession); " +
      'release functions, or pass { callbacks: "call" }',
  );
});

Deno.test("CallbackTable: adding many functions of ended calls takes constant time and memory", () => {
  const table = tableOf(1_000);
  for (let i = 0; i < 200_000; i++) {
    const one = found(() => i);
    table.handOut(one);
    table.leave(one[0]!.callback);
  }
  assertEquals(table.size, 1_000);
});

Deno.test("CallbackTable.giveBack: a function is removed once the remote released every copy", () => {
  const revoked: number[] = [];
  const table = tableOf(9, undefined, undefined, revoked);
  table.handOut(found(a));
  table.handOut(found(a, b));
  table.leave(a!);
  assertEquals(table.giveBack(0), undefined, "it still has one");
  assertStrictEquals(table.get(0), a);
  assertStrictEquals(table.giveBack(0), a);
  assertEquals([table.get(0), table.giveBack(0), table.size], [undefined, undefined, 1]);
  table.handOut(found(b, b));
  assertEquals([table.giveBack(1), table.giveBack(2), table.giveBack(1)], [
    undefined,
    undefined,
    b,
  ]);
  assertEquals([table.size, revoked], [0, []], "what the remote gave back, it need not be told of");
});

Deno.test("CallbackTable.undo: functions of a message that was not sent do not count", () => {
  const table = tableOf(9);
  table.handOut(found(a));
  const ids = table.handOut(found(a, b));
  table.undo(found(a, b), ids);
  assertEquals(table.size, 1);
  assertStrictEquals(table.giveBack(0), a);
  assertEquals(table.size, 0);
});

Deno.test("CallbackTable: functions that it removes are revoked with all their ids", () => {
  const revoked: number[] = [];
  const table = tableOf(2, undefined, undefined, revoked);
  table.handOut(found(a, a));
  table.release(a!);
  assertEquals(revoked.splice(0), [0, 1]);
  table.handOut(found(b));
  table.takeBack(found(b));
  assertEquals(revoked.splice(0), [2]);
  table.handOut(found(a, b));
  table.leave(a!);
  table.handOut(found(c));
  assertEquals(revoked.splice(0), [3], "the one that made room");
  table.forget(c!);
  assertEquals(revoked, []);
});
