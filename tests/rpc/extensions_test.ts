import { assert, assertEquals } from "@std/assert";
import { Extensions, offeredExtensions } from "../../src/rpc/extensions.ts";
import { RawJson } from "../../src/rpc/raw_json.ts";
import type { KiteRequest } from "../../src/rpc/request.ts";
import { PipeSession, Side, turn } from "./support.ts";

const NAMES = ["compact/1", "cancel/1", "release/1", "stream/1"];

/** Sends a request as a peer would, with more members in its options object. */
function ask(session: PipeSession, id: number, more: Record<string, unknown> = {}): void {
  session.hear(JSON.stringify({
    method: "m",
    arguments: [{ withArgs: [], responseCallback: "[Function]", ...more }],
    callbacks: { [id]: [0, "responseCallback"] },
  }));
}

function firstArguments(session: PipeSession): Record<string, unknown>[] {
  return session.sent.map((text) => JSON.parse(text).arguments[0]);
}

Deno.test("the first request of a session contains the extensions, as its last member", async () => {
  const session = new PipeSession();
  const side = new Side(session, { timeout: 0 });
  const calls = [side.tell("a"), side.tell("b")].map((call) => call.catch(() => {}));
  const [first, second] = firstArguments(session);
  assertEquals(Object.keys(first!).slice(0, 4), [
    "kite",
    "authentication",
    "withArgs",
    "responseCallback",
  ]);
  assertEquals(first?.can, NAMES);
  assertEquals(Object.hasOwn(second!, "can"), false);
  side.close();
  await Promise.all(calls);
});

Deno.test("compact: false omits compact/1 from the extensions", async () => {
  const session = new PipeSession();
  const side = new Side(session, { timeout: 0, compact: false });
  const call = side.tell("a").catch(() => {});
  assertEquals(firstArguments(session)[0]?.can, NAMES.slice(1));
  side.close();
  await call;
});

Deno.test("a peer that sends no extensions receives none", async () => {
  const session = new PipeSession();
  const side = new Side(session, { serve: () => 1 });
  ask(session, 1);
  ask(session, 2, { can: "compact/1" });
  ask(session, 3, { can: null });
  await turn();
  assertEquals(firstArguments(session), [1, 1, 1].map((result) => ({ error: null, result })));
  side.close();
});

for (
  const [what, serve, answer] of [
    ["result", () => 1, { error: null, result: 1 }],
    ["result that is text already", () => new RawJson("[1]"), { error: null, result: [1] }],
    ["error", () => {
      throw new Error("no");
    }, undefined],
  ] as [string, (request: KiteRequest) => unknown, unknown][]
) {
  Deno.test(`the first ${what} names our extensions to a peer that named its own`, async () => {
    const session = new PipeSession();
    const side = new Side(session, { serve, compact: false });
    ask(session, 1, { can: ["cancel/1"] });
    ask(session, 2, { can: ["cancel/1"] });
    await turn();
    const [{ can, ...rest } = {}, second] = firstArguments(session);
    assertEquals(can, NAMES.slice(1));
    if (answer !== undefined) assertEquals([rest, second], [answer, answer]);
    assertEquals(Object.hasOwn(second!, "can"), false);
    side.close();
  });
}

Deno.test("a handler that takes time names our extensions before its answer, once", async () => {
  const gate = Promise.withResolvers<number>();
  const session = new PipeSession();
  const side = new Side(session, { serve: () => gate.promise, compact: false });
  ask(session, 1);
  assertEquals(session.sent, []);
  ask(session, 2, { can: ["cancel/1"] });
  ask(session, 3, { can: ["cancel/1"] });
  assertEquals(session.sent.map((text) => JSON.parse(text)), [{
    method: "kite.can",
    arguments: [{ withArgs: NAMES.slice(1) }],
    callbacks: {},
  }]);
  gate.resolve(1);
  await turn();
  const answers = firstArguments(session).slice(1);
  assertEquals(answers, [1, 1, 1].map((result) => ({ error: null, result })));
  side.close();
});

Deno.test("Extensions.learn: keeps the names that both sides have, from the first list only", () => {
  const names: unknown[] = [
    "cancel/1",
    "cancel/2",
    7,
    null,
    {},
    ["stream/1"],
    { toString: () => "stream/1" },
    "stream/1",
    ..."x".repeat(100),
    "release/1",
  ];
  const extensions = new Extensions(offeredExtensions(true));
  for (const wrong of [undefined, null, "cancel/1", 1, { 0: "cancel/1", length: 1 }]) {
    assertEquals(extensions.learn(wrong), false);
  }
  assertEquals(extensions.isKnown, false);
  assert(extensions.learn(names));
  assertEquals(NAMES.map((name) => extensions.has(name as "cancel/1")), [false, true, false, true]);
  assertEquals(extensions.learn(NAMES), false, "only the first list counts");
  assertEquals(extensions.has("compact/1"), false);
});

Deno.test("Extensions: an extension that this side does not offer is not used", () => {
  const extensions = new Extensions(offeredExtensions(false));
  extensions.learn(NAMES);
  assertEquals(extensions.has("compact/1"), false);
  assertEquals(extensions.has("cancel/1"), true);
});
