import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import type { Incoming, IncomingRequest } from "../../src/rpc/codec.ts";
import { DnodeCodec } from "../../src/rpc/dnode_codec.ts";
import { HeadMemo } from "../../src/rpc/head_memo.ts";
import { IDENTITY, ofKind } from "./support.ts";

const KITES = [IDENTITY, { ...IDENTITY, name: "other" }, {}, { name: '\u2028"' }, null, "text"];
const AUTHENTICATIONS = [null, { type: "token", key: "a.b.c" }, { type: "kiteKey", key: "\\" }, 5];

/** A message as it was read, functions shown by their ids. */
function shown(incoming: Incoming): string {
  const seen = new Set<unknown>();
  return JSON.stringify(incoming, (_key, value) => {
    if (typeof value === "function") return `function ${value()}`;
    if (value === undefined) return "undefined";
    if (typeof value !== "object" || value === null) return value;
    if (seen.has(value)) return "seen";
    seen.add(value);
    return value;
  });
}

function decode(codec: DnodeCodec, text: string): string {
  return shown(codec.decode(text, { callback: (id) => () => id, stream: () => ({}) }));
}

function read(codec: DnodeCodec, text: string): IncomingRequest {
  return ofKind("request", codec.decode(text, { callback: () => () => {}, stream: () => ({}) }));
}

function heads(): string[] {
  return KITES.flatMap((kite) =>
    AUTHENTICATIONS.map((authentication) =>
      `"kite":${JSON.stringify(kite)},"authentication":${JSON.stringify(authentication)},`
    )
  );
}

/** A codec that has learnt a head. */
function warmed(head: string): DnodeCodec {
  const codec = new DnodeCodec(DEFAULT_LIMITS, new HeadMemo());
  decode(codec, `{"method":"warm","arguments":[{${head}"withArgs":[]}],"callbacks":{}}`);
  return codec;
}

const member = fc.constantFrom(
  '"withArgs":[1,{"a":[]}]',
  '"withArgs":["[Function]"]',
  '"withArgs":7',
  '"kite":{"name":"later"}',
  '"kite":null',
  '"authentication":{"type":"own","key":"later"}',
  '"authentication":null',
  '"responseCallback":"[Function]"',
  '"__proto__":{"kite":1}',
  '"k\\u0069te":{"name":"escaped"}',
  '"":0',
);
const callback = fc.constantFrom(
  '"0":[0,"responseCallback"]',
  '"1":[0,"withArgs",0]',
  '"2":[0,"kite"]',
  '"3":["0","kite","name"]',
  '"4":[0,"authentication","key"]',
  '"5":[0,"kite","toJSON"]',
  '"6":[1,"x"]',
  '"7":[0]',
);
const link = fc.constantFrom(
  '{"from":[0],"to":[0,"withArgs",0]}',
  '{"from":[0,"kite"],"to":[0,"kite","self"]}',
  '{"from":["0","withArgs"],"to":["0","withArgs","1","a","0"]}',
);
const outer = fc.constantFrom(
  '"arguments":[{"withArgs":["other"]}]',
  '"arguments":[{"kite":{"name":"outer"}}]',
  '"method":"later"',
  '"method":3',
  '"callbacks":{}',
  '"arguments":[]',
);
const name = fc.oneof(
  fc.constantFrom("m", "\\u006d", '\\"', "\\\\", "a\\nb", "", "kite.ping"),
  fc.string({ maxLength: 6 }).map((text) => JSON.stringify(text).slice(1, -1)),
);

const request = fc.record({
  name,
  head: fc.constantFrom(...heads(), ""),
  before: fc.array(member, { maxLength: 2 }),
  after: fc.array(member, { minLength: 1, maxLength: 4 }),
  callbacks: fc.array(callback, { maxLength: 4 }),
  links: fc.array(link, { maxLength: 2 }),
  outer: fc.array(outer, { maxLength: 2 }),
  form: fc.constantFrom("usual", "spaces", "callbacks first"),
}).map(({ name, head, before, after, callbacks, links, outer, form }) => {
  const first = before.map((text) => `${text},`).join("");
  const members = `${first}${head}${after.join(",")}`;
  const rest = outer.map((text) => `,${text}`).join("");
  const tail = `"callbacks":{${callbacks.join(",")}},"links":[${links.join(",")}]${rest}`;
  if (form === "spaces") return `{ "method" : "${name}", "arguments": [ {${members}} ], ${tail}}`;
  if (form === "callbacks first") return `{${tail},"method":"${name}","arguments":[{${members}}]}`;
  return `{"method":"${name}","arguments":[{${members}}],${tail}}`;
});

Deno.test("HeadMemo: does not change what is decoded", () => {
  fc.assert(
    fc.property(fc.constantFrom(...heads()), fc.array(request, { minLength: 1 }), (head, texts) => {
      const codec = warmed(head);
      for (const text of texts) {
        assertEquals(decode(codec, text), decode(new DnodeCodec(DEFAULT_LIMITS), text), text);
      }
    }),
    { numRuns: 1_500 },
  );
});

Deno.test("HeadMemo: a remembered head gives the same objects again", () => {
  const head = heads()[1]!;
  const codec = warmed(head);
  const text = `{"method":"m","arguments":[{${head}"withArgs":[1]}],"callbacks":{}}`;
  const [one, two] = [read(codec, text), read(codec, text)];
  assert(one.kite === two.kite && one.authentication === two.authentication);
  assert(one.args !== two.args);
});

Deno.test("HeadMemo: functions in a head are not remembered", () => {
  const head = heads()[1]!;
  const codec = new DnodeCodec(DEFAULT_LIMITS, new HeadMemo());
  const usual = `{"method":"m","arguments":[{${head}"withArgs":[]}],"callbacks":{}}`;
  const hostile = usual.replace('"callbacks":{}', '"callbacks":{"9":[0,"kite","extra"]}');
  for (const text of [hostile, usual, hostile, usual]) {
    assertEquals(decode(codec, text), decode(new DnodeCodec(DEFAULT_LIMITS), text));
  }
});

Deno.test("HeadMemo: the mark never appears in a request", () => {
  const head = heads()[1]!;
  const codec = warmed(head);
  const links = '"links":[{"from":[0],"to":[0,"withArgs",0,"up"]}]';
  const text = `{"method":"m","arguments":[{${head}"withArgs":[{}]}],"callbacks":{},${links}}`;
  const incoming = read(codec, text);
  const { up } = incoming.args[0] as { up: object };
  assertEquals(Object.keys(up), ["kite", "authentication", "withArgs"]);
});

Deno.test("HeadMemo: is not used for peers whose requests have another form", () => {
  const codec = new DnodeCodec(DEFAULT_LIMITS, new HeadMemo());
  const other = '{"arguments":[{"withArgs":[]}],"method":"m"}';
  for (let i = 0; i < 10; i++) decode(codec, other);
  const text = `{"method":"m","arguments":[{${heads()[1]}"withArgs":[]}],"callbacks":{}}`;
  const [one, two] = [read(codec, text), read(codec, text)];
  assertEquals(one.kite, two.kite);
  assert(one.kite !== two.kite, "its heads are not looked at any more");
});
