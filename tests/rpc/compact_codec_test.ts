import { assert, assertEquals } from "@std/assert";
import type { FoundFunction } from "../../src/dnode/scrub.ts";
import type { RemoteValues } from "../../src/dnode/unscrub.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/protocol/limits.ts";
import type { Incoming } from "../../src/rpc/codec.ts";
import { CompactCodec } from "../../src/rpc/compact_codec.ts";
import { RawJson } from "../../src/rpc/raw_json.ts";
import { IDENTITY, ofKind, PipeSession, Side, turn } from "./support.ts";

const TOKEN = { type: "token", key: "a.b.c" };
/** Functions that give their ids. */
const REMOTE: RemoteValues = { callback: (id) => () => id, stream: () => ({}) };

function codecWith(limits: Partial<Limits> = {}): CompactCodec {
  return new CompactCodec({ ...DEFAULT_LIMITS, ...limits });
}

function decode(message: unknown[], codec = codecWith()): Incoming {
  return codec.decode(message, REMOTE);
}

function places(...paths: (string | number)[][]): FoundFunction[] {
  return paths.map((path) => ({ path, callback: () => {} }));
}

Deno.test("CompactCodec: writes the shortest form of each kind of message", () => {
  const codec = codecWith();
  const head = codec.head(IDENTITY, TOKEN, 15_000);
  assertEquals(
    head.message,
    `[0,{"kite":${JSON.stringify(IDENTITY)},"authentication":` +
      `{"type":"token","key":"a.b.c"},"timeout":15000}]`,
  );
  const request = { method: 'a"b', head, args: [4], responseId: 3, functions: [], ids: [] };
  assertEquals(codec.request({ ...request, timeout: 15_000 }), '[1,3,"a\\"b",[4]]');
  assertEquals(codec.request({ ...request, timeout: 0 }), '[1,3,"a\\"b",[4],{"timeout":0}]');
  assertEquals(
    codec.request({ ...request, timeout: 1.2, meta: { trace: "1" } }),
    '[1,3,"a\\"b",[4],{"timeout":2,"meta":{"trace":"1"}}]',
  );
  assertEquals(codec.result(7, { a: 1 }, [], []), '[2,7,{"a":1}]');
  assertEquals(codec.result(7, undefined, [], []), "[2,7,null]");
  assertEquals(codec.error(7, { type: "t" }), '[3,7,{"type":"t"}]');
  assertEquals(codec.invoke(8, [1, "x"], [], []), '[4,8,[1,"x"]]');
  assertEquals(codec.cancel(9), "[5,9]");
  assertEquals([codec.release([1, 2]), codec.revoke([3])], ["[6,[1,2]]", "[7,[3]]"]);
});

Deno.test("CompactCodec: paths of functions start at the message", () => {
  const codec = codecWith();
  const head = codec.head(IDENTITY, undefined, 0);
  const args = [() => {}, { "k\n": () => {} }];
  const functions = places([0], [1, "k\n"]);
  const text = codec.request({ method: "m", head, args, responseId: 1, functions, ids: [5, 6] });
  assertEquals(JSON.parse(text), [1, 1, "m", ["[Function]", { "k\n": "[Function]" }], {
    callbacks: { 5: [3, 0], 6: [3, 1, "k\n"] },
  }]);
  assertEquals(JSON.parse(codec.result(1, () => {}, places([]), [7])), [2, 1, "[Function]", {
    callbacks: { 7: [2] },
  }]);
});

Deno.test("CompactCodec: a head applies to all requests until the next head", () => {
  const codec = codecWith();
  const nobody = ofKind("request", decode([1, 1, "m", []], codec));
  assertEquals([nobody.kite.username, nobody.authentication, nobody.timeout], [
    "",
    undefined,
    undefined,
  ]);
  assertEquals(
    decode([0, { kite: IDENTITY, authentication: TOKEN, timeout: 50 }], codec).kind,
    "none",
  );
  const first = ofKind("request", decode([1, 1, "m", [2]], codec));
  const second = ofKind("request", decode([1, null, "n", []], codec));
  assertEquals([first.kite, first.authentication, first.timeout], [{ ...IDENTITY }, TOKEN, 50]);
  assert(
    first.authentication === second.authentication,
    "verified results are kept by this object",
  );
  assertEquals([first.responseId, second.responseId], [1, undefined]);
  decode([0, { kite: { ...IDENTITY, name: "other" } }], codec);
  const third = ofKind("request", decode([1, 2, "m", []], codec));
  assertEquals([third.kite.name, third.authentication, third.timeout], [
    "other",
    undefined,
    undefined,
  ]);
});

Deno.test("CompactCodec: puts functions only into arguments and results", () => {
  const request = ofKind(
    "request",
    decode([1, 1, "m", [{ f: "[Function]", then: "[Function]" }], {
      callbacks: {
        4: [3, 0, "f"],
        5: [3, 0, "then"],
        6: [3],
        7: [2],
        8: [0],
        9: [4, "meta"],
        10: [3, 0, "__proto__", "x"],
        11: ["3", 0, "g"],
      },
    }]),
  );
  const [{ f, then, g }] = request.args as [Record<string, () => number>];
  assertEquals([f!(), then, g], [4, "[Function]", undefined]);
  assertEquals([request.method, request.meta], ["m", undefined]);
  const result = ofKind("result", decode([2, 1, "[Function]", { callbacks: { 4: [2] } }]));
  assertEquals((result.result as () => number)(), 4);
  const invoke = ofKind("invoke", decode([4, 1, ["[Function]"], { callbacks: { 4: [2, 0] } }]));
  assertEquals((invoke.args[0] as () => number)(), 4);
  const whole = ofKind("invoke", decode([4, 1, [], { callbacks: { 4: [2] } }]));
  assertEquals(whole.args, [], "arguments stay an array");
});

for (
  const message of [
    [],
    [null],
    ["1", 1, "m", []],
    [1],
    [1, "1", "m", []],
    [1, -1, "m", []],
    [1, 1.5, "m", []],
    [1, undefined, "m", []],
    [2],
    [2, null, 1],
    [3, "x", {}],
    [4, 1],
    [4, 1, {}],
    [4, null, []],
    [5],
    [5, "5"],
    [0],
    [0, null],
    [6],
    [6, 1],
    [7, {}],
    [0, 5],
    [6.5, 1],
    [99, 1],
    [{}, {}],
    [[], []],
  ]
) {
  Deno.test(`CompactCodec: ${JSON.stringify(message)} cannot be read`, () => {
    assertEquals(ofKind("broken", decode(message)).responseId, undefined);
  });
}

Deno.test("CompactCodec: reads the ids of functions that are released or revoked", () => {
  const ids = [1, "2", -3, 4.5, null, 6];
  assertEquals(decode([6, ids]), { kind: "release", ids: [1, 6] });
  assertEquals(decode([7, ids]), { kind: "revoke", ids: [1, 6] });
});

Deno.test("CompactCodec: names the call or request of a refused message", () => {
  for (const message of [[1, 7, 5, []], [1, 7, "m", {}], [1, 7, "m"], [1, 7, null, []]]) {
    const { type, responseId } = ofKind("broken", decode(message));
    assertEquals([type, responseId], ["argumentError", 7]);
  }
  const callbacks = { 1: [3, 0], 2: [3, 1], 3: [3, 2] };
  const few = codecWith({ callbacksPerMessage: 2 });
  const request = ofKind("broken", decode([1, 7, "m", [1, 2, 3], { callbacks }], few));
  assertEquals([request.type, request.responseId], ["limitError", 7]);
  const answer = ofKind("broken", decode([2, 8, [], { callbacks }], few));
  assertEquals([answer.type, answer.callId], ["limitError", 8]);
  const meta = { a: "", b: "", c: "" };
  const little = codecWith({ metadataEntries: 2 });
  const refused = ofKind("broken", decode([1, 9, "m", [], { meta }], little));
  assertEquals([refused.type, refused.responseId], ["limitError", 9]);
});

for (const extra of [null, 5, "x", [], [1], { callbacks: 5 }, { callbacks: [] }, { meta: 5 }]) {
  Deno.test(`CompactCodec: ${JSON.stringify(extra)} at the end of a request changes nothing`, () => {
    const { args, meta, timeout } = ofKind("request", decode([1, 1, "m", [1], extra]));
    assertEquals([args, meta, timeout], [[1], undefined, undefined]);
  });
}

/** A side that was told that the peer reads compact messages. */
function toldSide(serve: () => unknown, compact = true): [Side, PipeSession] {
  const session = new PipeSession();
  const side = new Side(session, { serve, compact });
  session.hear(JSON.stringify({
    method: "hello",
    arguments: [{ withArgs: [], can: ["compact/1"], responseCallback: "[Function]" }],
    callbacks: { 0: [0, "responseCallback"] },
  }));
  return [side, session];
}

Deno.test("after the answer with the extensions, all messages are compact", async () => {
  const [side, session] = toldSide(() => 1);
  const call = side.tell("m", () => {}).catch(() => {});
  session.hear('[1,5,"m",[]]');
  await turn();
  const [first, ...rest] = session.sent;
  assertEquals(JSON.parse(first!).arguments[0].can[0], "compact/1");
  assertEquals(rest.map((text) => JSON.parse(text)[0]), [0, 1, 2]);
  side.close();
  await call;
});

Deno.test("a RawJson result is sent unchanged", () => {
  const [side, session] = toldSide(() => new RawJson('{\\"a\\":\\"\\\\n\\"}'));
  session.hear('[1,5,"m",[]]');
  assertEquals(session.sent[1], '[2,5,{"a":"\\n"}]');
  side.close();
});

Deno.test("compact: false sends no compact message, and refuses compact requests", () => {
  const [side, session] = toldSide(() => 1, false);
  session.hear('[1,5,"m",[]]');
  session.hear("[5,7]");
  assertEquals(session.sent.map((text) => JSON.parse(text).arguments[0].error?.message), [
    undefined,
    "compact messages are disabled",
  ]);
  assertEquals(side.reports, ["Cannot read a message: compact messages are disabled"]);
  side.close();
});

Deno.test("answers without a call, and invocations of a call's id, are ignored", async () => {
  const session = new PipeSession();
  const side = new Side(session, { timeout: 0 });
  const call = side.tell("m");
  const { callbacks } = JSON.parse(session.sent[0]!);
  const [id] = Object.keys(callbacks);
  for (const text of ["[2,77,1]", "[3,77,{}]", `[4,${id},[null,1]]`, "[4,77,[]]", "[5,77]"]) {
    session.hear(text);
  }
  assertEquals(side.conversation.load.pending, 1);
  session.hear(`[2,${id},"done"]`);
  assertEquals(await call, "done");
  assertEquals(side.reports, []);
  side.close();
});
