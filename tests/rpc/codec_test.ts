import { assertEquals } from "@std/assert";
import type { FoundFunction } from "../../src/dnode/scrub.ts";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import type { Incoming } from "../../src/rpc/codec.ts";
import { DnodeCodec } from "../../src/rpc/dnode_codec.ts";
import { IDENTITY, ofKind } from "./support.ts";

const codec = new DnodeCodec(DEFAULT_LIMITS);
const HEAD = `"kite":${JSON.stringify(IDENTITY)},"authentication":null,`;
const TOKEN = { type: "token", key: "a.b.c" };

/** Reads, with functions that give their ids. */
function decode(text: string, by = codec): Incoming {
  return by.decode(text, { callback: (id) => () => id, stream: () => ({}) });
}

function places(...paths: (string | number)[][]): FoundFunction[] {
  return paths.map((path) => ({ path, callback: () => {} }));
}

Deno.test("writes a request as the Go kite reads it", () => {
  const head = codec.head(IDENTITY, TOKEN);
  const request = { method: 'a"b', head, args: [4], responseId: 3, functions: [], ids: [] };
  assertEquals(
    codec.request(request),
    `{"method":"a\\"b","arguments":[{"kite":${JSON.stringify(IDENTITY)},` +
      `"authentication":{"type":"token","key":"a.b.c"},"withArgs":[4],` +
      `"responseCallback":"[Function]"}],"callbacks":{"3":[0,"responseCallback"]}}`,
  );
});

Deno.test("DnodeCodec: writes the paths of functions from the arguments of the message", () => {
  const args = [() => {}, { "k\n": () => {} }];
  const request = {
    method: "m",
    head: codec.head(IDENTITY, undefined),
    args,
    responseId: 1,
    functions: places([0], [1, "k\n"]),
    ids: [5, 6],
  };
  const message = JSON.parse(codec.request(request));
  assertEquals(message.arguments[0].withArgs, ["[Function]", { "k\n": "[Function]" }]);
  assertEquals(message.callbacks, {
    "1": [0, "responseCallback"],
    "5": [0, "withArgs", 0],
    "6": [0, "withArgs", 1, "k\n"],
  });
});

Deno.test("writes answers and invocations", () => {
  assertEquals(
    codec.result(7, { a: 1 }, [], []),
    '{"method":7,"arguments":[{"error":null,"result":{"a":1}}],"callbacks":{}}',
  );
  assertEquals(
    codec.result(7, undefined, [], []),
    '{"method":7,"arguments":[{"error":null,"result":null}],"callbacks":{}}',
  );
  assertEquals(
    codec.result(7, () => {}, places([]), [9]),
    '{"method":7,"arguments":[{"error":null,"result":"[Function]"}],' +
      '"callbacks":{"9":[0,"result"]}}',
  );
  assertEquals(
    codec.result(7, [() => {}], places([0]), [9]),
    '{"method":7,"arguments":[{"error":null,"result":["[Function]"]}],' +
      '"callbacks":{"9":[0,"result",0]}}',
  );
  assertEquals(
    codec.error(7, { type: "t", message: "m", code: "", id: "i" }),
    '{"method":7,"arguments":[{"error":{"type":"t","message":"m","code":"","id":"i"},' +
      '"result":null}],"callbacks":{}}',
  );
  assertEquals(
    codec.invoke(2, [1, [() => {}]], places([1, 0]), [4]),
    '{"method":2,"arguments":[1,["[Function]"]],"callbacks":{"4":[1,0]}}',
  );
});

const REQUESTS: [string, string, unknown[]][] = [
  ["an array of arguments", '"withArgs":[1,2]', [1, 2]],
  ["a bare value as the only argument", '"withArgs":5', [5]],
  ["an object as the only argument", '"withArgs":{"a":1}', [{ a: 1 }]],
  ["null as no arguments", '"withArgs":null', []],
  ["missing arguments as none", '"x":0', []],
];
for (const [what, member, args] of REQUESTS) {
  Deno.test(`reads ${what}`, () => {
    const text = `{"method":"m","arguments":[{${HEAD}${member},"responseCallback":"[Function]"}],` +
      `"callbacks":{"9":["0","responseCallback"]}}`;
    for (let again = 0; again < 3; again++) {
      const incoming = ofKind("request", decode(text));
      assertEquals(incoming.args, args);
      assertEquals(incoming.responseId, 9);
      assertEquals(incoming.kite, { ...IDENTITY });
      assertEquals(incoming.authentication, undefined);
    }
  });
}

Deno.test("DnodeCodec: finds the response callback by its path, whatever value is there", () => {
  for (const member of ['"responseCallback":null', '"responseCallback":7', '"y":1']) {
    const text =
      `{"method":"m","arguments":[{${member}}],"callbacks":{"4":[0,"responseCallback"]}}`;
    const incoming = ofKind("request", decode(text));
    assertEquals(incoming.responseId, 4);
  }
});

Deno.test("DnodeCodec: functions in arguments can be called, and the response callback is not an argument", () => {
  const text = '{"method":"m","arguments":[{"withArgs":["[Function]",{"f":null}],' +
    '"responseCallback":"[Function]"}],' +
    '"callbacks":{"1":[0,"responseCallback"],"2":["0","withArgs","0"],"3":[0,"withArgs",1,"f"]}}';
  const incoming = ofKind("request", decode(text));
  const [first, second] = incoming.args as [() => number, { f: () => number }];
  assertEquals([first(), second.f(), incoming.responseId], [2, 3, 1]);
});

Deno.test("a number invokes a callback; a numeric string names a method", () => {
  assertEquals(decode('{"method":4,"arguments":[1,{"x":2},null]}'), {
    kind: "invoke",
    id: 4,
    args: [1, { x: 2 }, null],
  });
  assertEquals(decode('{"method":"4","arguments":[{}]}').kind, "request");
});

const BROKEN: [string, string][] = [
  ["", "message is not JSON"],
  ["{bad", "message is not JSON"],
  ["null", "message is not an object"],
  ["5", "message is not an object"],
  ['"{}"', "message is not an object"],
  ["[]", "message is not an object"],
  ["{}", "method is no string and no id"],
  ['{"method":null}', "method is no string and no id"],
  ['{"method":true,"arguments":[]}', "method is no string and no id"],
  ['{"method":-1,"arguments":[]}', "method is no string and no id"],
  ['{"method":0.5,"arguments":[]}', "method is no string and no id"],
  ['{"method":1e300,"arguments":[]}', "method is no string and no id"],
  ['{"method":1}', "arguments is not an array"],
  ['{"method":1,"arguments":{"0":1,"length":1}}', "arguments is not an array"],
  ['{"method":"m"}', "arguments must be an array of one request object"],
  ['{"method":"m","arguments":{}}', "arguments must be an array of one request object"],
  ['{"method":"m","arguments":[]}', "arguments must be an array of one request object"],
  ['{"method":"m","arguments":[null]}', "arguments must be an array of one request object"],
  ['{"method":"m","arguments":[[1]]}', "arguments must be an array of one request object"],
  ['{"method":"m","arguments":["x"]}', "arguments must be an array of one request object"],
];
for (const [text, reason] of BROKEN) {
  Deno.test(`refuses ${text === "" ? "an empty message" : text}`, () => {
    const { callId, ...rest } = ofKind("broken", decode(text));
    assertEquals(rest, { kind: "broken", type: "argumentError", reason });
    assertEquals(
      callId,
      text.startsWith('{"method":1,') || text === '{"method":1}' ? 1 : undefined,
    );
  });
}

Deno.test("DnodeCodec: a broken request is answered if its response id can be read", () => {
  const incoming = ofKind(
    "broken",
    decode('{"method":"m","callbacks":{"8":[0,"responseCallback"]}}'),
  );
  assertEquals(incoming.responseId, 8);
});

Deno.test("DnodeCodec: a request with too much nesting or too many callbacks is answered", () => {
  const deep = "[".repeat(600) + "]".repeat(600);
  const tooDeep = ofKind(
    "broken",
    decode(
      `{"method":"m","arguments":[{"withArgs":[${deep}]}],"callbacks":{"6":[0,"responseCallback"]}}`,
    ),
  );
  assertEquals([tooDeep.type, tooDeep.responseId], ["limitError", 6]);
  assertEquals(tooDeep.reason, "message nested deeper than 512 (limit: nesting)");
  const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [i, [0, "withArgs", i]]));
  const callbacks = { ...many, 400: [0, "responseCallback"] };
  const tooMany = ofKind(
    "broken",
    decode(JSON.stringify({ method: "m", arguments: [{}], callbacks })),
  );
  assertEquals([tooMany.type, tooMany.responseId], ["limitError", 400]);
  assertEquals(tooMany.reason, "more than 256 callbacks (limit: callbacksPerMessage)");
});

Deno.test("DnodeCodec: an answer with too much nesting fails its call; text that is not JSON belongs to none", () => {
  const deep = "[".repeat(600);
  const answer = ofKind("broken", decode(`{"method":3,"arguments":[${deep}${"]".repeat(600)}]}`));
  assertEquals([answer.type, answer.callId, answer.responseId], ["limitError", 3, undefined]);
  const nothing = ofKind("broken", decode(deep));
  assertEquals([nothing.callId, nothing.responseId], [undefined, undefined]);
});
