import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeBytes, encodeBytes } from "../../src/protocol/bytes.ts";
import { KiteError } from "../../src/protocol/errors.ts";

Deno.test("encodeBytes writes base64 with padding, as Go does", () => {
  assertEquals(encodeBytes(new Uint8Array([])), "");
  assertEquals(encodeBytes(new Uint8Array([255, 254, 0])), "//4A");
  assertEquals(encodeBytes(new TextEncoder().encode("kite").buffer), "a2l0ZQ==");
});

Deno.test("decodeBytes gives back what encodeBytes was given", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assertEquals(decodeBytes(encodeBytes(bytes)), new Uint8Array(bytes));
  }));
  const many = new Uint8Array(1_000_001).map((_, i) => i % 251);
  assertEquals(decodeBytes(encodeBytes(many)), many);
});

Deno.test("decodeBytes refuses what is not base64", () => {
  for (const text of ["*", "a", "a2l0ZQ=", "äöü"]) {
    assertThrows(() => decodeBytes(text), KiteError, "Cannot decode bytes: the text is not base64");
  }
});
