import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  decodeFrame,
  decodeUpstream,
  encodeClose,
  encodeMessages,
} from "../../../src/transport/sockjs/frames.ts";

Deno.test("encodeMessages: writes an a frame with all messages", () => {
  assertEquals(encodeMessages(["x"]), 'a["x"]');
  assertEquals(encodeMessages(["x", '{"a":"é"}']), 'a["x","{\\"a\\":\\"é\\"}"]');
  assertEquals(encodeMessages(["<&>"]), 'a["<&>"]');
});

Deno.test("encodeMessages: escapes every character on the list of SockJS", () => {
  const ranges = [[0, 0x1f], [0x200c, 0x200f], [0x2028, 0x202f], [0x2060, 0x206f], [
    0xfff0,
    0xffff,
  ]];
  let text = "\ud800 \udbff \udc00 \udfff "; // lone surrogates
  for (const [from = 0, to = 0] of ranges) {
    for (let unit = from; unit <= to; unit++) text += String.fromCharCode(unit);
  }
  const frame = encodeMessages([text]);
  for (const unit of frame) {
    assertEquals(
      unit !== " " && text.includes(unit),
      false,
      `U+${unit.codePointAt(0)?.toString(16)}`,
    );
  }
  assertEquals(decodeFrame(frame), { type: "messages", messages: [text] });
});

Deno.test("encodeMessages: does not escape surrogate pairs", () => {
  assertEquals(encodeMessages(["\u{1f600}"]), 'a["\u{1f600}"]');
});

Deno.test("encodeClose: writes code and reason", () => {
  assertEquals(encodeClose(3000, "Go away!"), 'c[3000,"Go away!"]');
  assertEquals(encodeClose(1000, 'a"\u2028'), 'c[1000,"a\\"\\u2028"]');
});

Deno.test("decodeUpstream: reads an array of strings, a string, and an empty text", () => {
  assertEquals(decodeUpstream('["a","b"]'), ["a", "b"]);
  assertEquals(decodeUpstream('"a"'), ["a"]);
  assertEquals(decodeUpstream(""), []);
  assertEquals(decodeUpstream("[]"), []);
});

Deno.test("decodeUpstream: returns undefined for any other text", () => {
  for (const text of ['["a', "null", "1", "{}", "[1]", '["a",null]', "true", '["a"]x', " "]) {
    assertEquals(decodeUpstream(text), undefined, text);
  }
});

Deno.test("decodeFrame: reads the five frames", () => {
  assertEquals(decodeFrame("o"), { type: "open" });
  assertEquals(decodeFrame("h"), { type: "heartbeat" });
  assertEquals(decodeFrame('a["x","y"]'), { type: "messages", messages: ["x", "y"] });
  assertEquals(decodeFrame("a[]"), { type: "messages", messages: [] });
  assertEquals(decodeFrame('m"x"'), { type: "messages", messages: ["x"] });
  assertEquals(decodeFrame('c[3000,"Go away!"]'), {
    type: "close",
    code: 3000,
    reason: "Go away!",
  });
  assertEquals(decodeFrame("c[1000]"), { type: "close", code: 1000, reason: "" });
});

Deno.test("decodeFrame: returns undefined for any other text", () => {
  const broken = ["", "x", "ox", "a", 'a"x"', "a[1]", "a[", "m", 'm["x"]', "c", "c[]", 'c["x",1]'];
  for (const text of broken) assertEquals(decodeFrame(text), undefined, text);
});

Deno.test("frames: any messages survive the round trip", () => {
  fc.assert(fc.property(
    fc.array(
      fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((n) => String.fromCharCode(n)) })
        // A message that starts with "[" is a compact one, and must be JSON.
        .filter((message) => !message.startsWith("[")),
    ),
    (messages) => {
      const frame = encodeMessages(messages);
      assertEquals(decodeFrame(frame), { type: "messages", messages });
      assertEquals(decodeUpstream(frame.slice(1)), messages);
    },
  ));
});
