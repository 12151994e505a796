import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { TEST_LOCK } from "../../tools/paths.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { RemoteFunction } from "../../src/rpc/remote_functions.ts";
import { converse, PipeSession, Side, type SideOptions, turn } from "./support.ts";

type Tick = ((n: number) => void) & Disposable;

/** Two sides that know each other's extensions. */
async function acquainted(serve: SideOptions["serve"]): Promise<[Side, Side]> {
  const [left, right] = converse({}, { serve: serve ?? (() => null) });
  await left.tell("hello");
  return [left, right];
}

/** Lets what is sent at the end of a turn arrive. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
}

Deno.test("RemoteFunction: disposing it removes it from its owner's table", async () => {
  const told: number[] = [];
  const [left, right] = await acquainted(({ args }) => {
    if (args.length === 0) return;
    using tick = args.one().function();
    tick(1);
    tick(2);
  });
  await left.tellWith({ callbacks: "session" }, "m", (n: number) => void told.push(n));
  assertEquals(left.conversation.load.callbacks, 1);
  await settle();
  assertEquals(told, [1, 2]);
  assertEquals(left.conversation.load.callbacks, 0);
  right.close();
});

Deno.test("RemoteFunction: calling it after disposal throws", async () => {
  const held: RemoteFunction[] = [];
  const [left, right] = await acquainted(({ args }) => {
    if (args.length > 0) held.push(args.one().function());
  });
  await left.tell("m", () => {});
  held[0]![Symbol.dispose]();
  held[0]![Symbol.dispose]();
  const error = assertThrows(() => held[0]!(1), KiteError, "it was disposed") as KiteError;
  assertEquals(error.type, "released");
  right.close();
});

Deno.test("RemoteFunction: calling it after its owner released it throws", async () => {
  const held: RemoteFunction[] = [];
  const [left, right] = await acquainted(({ args }) => {
    if (args.length > 0) held.push(args.one().function());
  });
  const one = () => {};
  await left.tellWith({ callbacks: "session" }, "m", one);
  await left.tellWith({ callbacks: "call" }, "m", () => {});
  held[0]!(1);
  assert(left.release(one));
  await settle();
  for (const each of held) {
    const error = assertThrows(() => each(1), KiteError, "the remote took it back") as KiteError;
    assertEquals(error.type, "released");
    each[Symbol.dispose]();
  }
  assertEquals(left.conversation.load.callbacks, 0);
  right.close();
});

Deno.test("RemoteFunction: a function that arrived twice stays until both are disposed", async () => {
  const held: Tick[] = [];
  const [left, right] = await acquainted(({ args }) => {
    for (const each of args) held.push(each.function());
  });
  const told: number[] = [];
  const tick = (n: number) => void told.push(n);
  await left.tell("m", tick);
  await left.tell("m", tick);
  held[0]![Symbol.dispose]();
  await settle();
  held[1]!(7);
  await settle();
  assertEquals(told, [7]);
  held[1]![Symbol.dispose]();
  // Sent before the release arrives, so the function must stay callable.
  await left.tell("m", tick);
  await settle();
  held[2]!(8);
  await settle();
  assertEquals(told, [7, 8]);
  held[2]![Symbol.dispose]();
  await settle();
  assertEquals(left.conversation.load.callbacks, 0);
  right.close();
});

Deno.test("RemoteFunction: with using, a million callbacks leave no entry in the table", async () => {
  let calls = 0;
  const [left, right] = await acquainted(({ args }) => {
    for (const each of args) {
      using tick = each.function();
      tick();
    }
  });
  let most = 0;
  for (let round = 0; round < 1_000; round++) {
    const call = () => left.tell("m", ...Array.from({ length: 50 }, () => () => void calls++));
    await Promise.all(Array.from({ length: 20 }, call));
    most = Math.max(most, left.conversation.load.callbacks);
    await turn();
  }
  await settle();
  assertEquals(calls, 1_000_000);
  assertEquals(left.conversation.load.callbacks, 0);
  assert(most <= 2_000, `${most} callbacks at once`);
  right.close();
});

Deno.test("RemoteFunction: garbage collection removes it from its owner's table", async () => {
  const gc = (globalThis as { gc?: () => void }).gc;
  if (gc === undefined) {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--v8-flags=--expose-gc",
        "--permission-set=test",
        "--no-check",
        "--filter=garbage collection",
        TEST_LOCK,
        import.meta.url,
      ],
    }).output();
    assertStringIncludes(new TextDecoder().decode(stdout), "1 passed");
    assert(success, new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr));
    return;
  }
  const [left, right] = await acquainted(() => {});
  const functions = Array.from({ length: 200 }, (_, i) => () => i);
  await left.tellWith({ callbacks: "session" }, "m", ...functions);
  assertEquals(left.conversation.load.callbacks, 200);
  // The engine may keep the last of them for as long as it likes.
  for (let i = 0; i < 100 && left.conversation.load.callbacks > 2; i++) {
    gc();
    await turn();
  }
  assert(left.conversation.load.callbacks <= 2);
  right.close();
});

Deno.test("RemoteFunction: a peer without release/1 receives no release message", async () => {
  const session = new PipeSession();
  const held: RemoteFunction[] = [];
  const side = new Side(session, {
    serve: ({ args }) => void held.push(args.one().function()),
  });
  session.hear(JSON.stringify({
    method: "m",
    arguments: [{ withArgs: ["[Function]"] }],
    callbacks: { 5: [0, "withArgs", 0] },
  }));
  held[0]![Symbol.dispose]();
  const own = () => {};
  const call = side.tell("n", own).catch(() => {});
  session.sent.length = 0;
  assert(side.release(own));
  await settle();
  assertEquals(session.sent, []);
  side.close();
  await call;
});

Deno.test("RemoteFunction: releases of unknown ids are ignored", async () => {
  const [left, right] = converse();
  const own = () => {};
  await right.tellWith({ callbacks: "session" }, "m", own);
  const session = left.session as PipeSession;
  for (const withArgs of [[], [99], [-1, 0.5, "0", null, {}], "0", null]) {
    for (const method of ["kite.release", "kite.revoke"]) {
      session.send(JSON.stringify({ method, arguments: [{ withArgs }], callbacks: {} }));
    }
  }
  await settle();
  assertEquals(right.conversation.load.callbacks, 1);
  assertEquals(right.reports, []);
  right.close();
});
