import { assertEquals, assertStrictEquals } from "@std/assert";
import { EncodedText } from "../../src/transport/encoded_text.ts";

const encoder = new TextEncoder();

Deno.test("EncodedText: joins its pieces, and knows its length in bytes", () => {
  for (const pieces of [[], ["a"], ["a", "é😀", ""], ["\ufeff", "b"]]) {
    const text = new EncodedText("{", pieces.map((piece) => encoder.encode(piece)), "}");
    const whole = text.within("[", "]");
    for (
      const [some, expected] of [
        [text, `{${pieces.join("")}}`],
        [whole, `[{${pieces.join("")}}]`],
      ] as const
    ) {
      assertEquals(some.toString(), expected);
      assertEquals(some.byteLength, encoder.encode(expected).length);
      assertEquals(some.bytes().flatMap((bytes) => [...bytes]), [...encoder.encode(expected)]);
    }
  }
});

Deno.test("EncodedText.within() shares the bytes of the middle", () => {
  const text = new EncodedText("", [encoder.encode("a"), encoder.encode("b")], "");
  const [, whole] = text.within("x", "y").bytes();
  assertStrictEquals(whole, text.within("", "").bytes()[1]);
});
