import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { decodeBytes, encodeBytes } from "../../src/protocol/bytes.ts";
import { KiteError } from "../../src/protocol/errors.ts";

Deno.test("encodeBytes: writes base64 with padding, like Go", () => {
  assertEquals(encodeBytes(new Uint8Array([])), "");
  assertEquals(encodeBytes(new Uint8Array([255, 254, 0])), "//4A");
  assertEquals(encodeBytes(new TextEncoder().encode("kite").buffer), "a2l0ZQ==");
});

Deno.test("decodeBytes: returns the bytes that were encoded", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    assertEquals(decodeBytes(encodeBytes(bytes)), new Uint8Array(bytes));
  }));
  const many = new Uint8Array(1_000_001).map((_, i) => i % 251);
  assertEquals(decodeBytes(encodeBytes(many)), many);
});

Deno.test("decodeBytes: refuses text that is not base64", () => {
  for (const text of ["*", "a", "a2l0ZQ=", "äöü"]) {
    assertThrows(() => decodeBytes(text), KiteError, "Cannot decode bytes: the text is not base64");
  }
});
