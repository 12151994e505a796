import { assertEquals } from "@std/assert";
import { decodeFrame, decodeUpstream, encodeMessages } from "../../src/transport/sockjs/frames.ts";
import { hasLongMessage, readRaw, sizeOf, writeRaw } from "../../src/transport/message.ts";

const PLAIN = '{"method":1}';
const COMPACT = '[2,1,"\u2028"]';

Deno.test("a frame holds compact messages as they are, beside plain ones as strings", () => {
  const frame = encodeMessages([PLAIN, COMPACT, COMPACT]);
  assertEquals(frame, 'a["{\\"method\\":1}",[2,1,"\\u2028"],[2,1,"\\u2028"]]');
  const messages = [PLAIN, [2, 1, "\u2028"], [2, 1, "\u2028"]];
  assertEquals(decodeFrame(frame), { type: "messages", messages });
  assertEquals(decodeUpstream(frame.slice(1)), messages);
  assertEquals(encodeMessages([COMPACT]), 'a[[2,1,"\\u2028"]]');
  assertEquals(decodeUpstream("[[1],{}]"), undefined);
});

Deno.test("without frames, compact messages in a row share a text", () => {
  const texts: string[] = [];
  writeRaw([PLAIN, "[5,1]", "[5,2]", PLAIN, "[5,3]"], (text) => texts.push(text));
  assertEquals(texts, [PLAIN, "[[5,1],[5,2]]", PLAIN, "[[5,3]]"]);
  assertEquals(texts.flatMap(readRaw), [PLAIN, [5, 1], [5, 2], PLAIN, [5, 3]]);
  for (const text of ["[", "[1]", '["x"]', "[[],1]"]) assertEquals(readRaw(text), [text]);
});

Deno.test("sizeOf: -1 for what is nested deeper than allowed, at any place", () => {
  const deep = JSON.parse("[".repeat(9_000) + "]".repeat(9_000));
  assertEquals(sizeOf([1, deep], 512), -1);
  assertEquals(sizeOf([1, {}, { a: [], b: deep }, []], 512), -1);
  assertEquals(sizeOf([[[]]], 3) > 0, true);
  assertEquals(sizeOf([[[]]], 2), -1);
  assertEquals(sizeOf(["x".repeat(100)], 9) >= 100, true);
});

Deno.test("a frame over the limit is refused only for a message over the limit", () => {
  const message = ["x".repeat(50)];
  const frame = JSON.stringify([message, message, message]);
  assertEquals(hasLongMessage(frame, [message, message, message], 100), false);
  assertEquals(hasLongMessage(frame, [message, ["é".repeat(50)]], 100), true);
});
