import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { formatDuration, parseDuration } from "../../src/protocol/duration.ts";
import { KiteError } from "../../src/protocol/errors.ts";

Deno.test("parseDuration: reads Go durations", () => {
  const expected: [string, number][] = [
    ["15s", 15_000],
    ["5m", 300_000],
    ["1h30m", 5_400_000],
    ["500ms", 500],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1m30.5s", 90_500],
    ["250us", 0.25],
    ["250µs", 0.25],
    ["250μs", 0.25],
    ["1000000ns", 1],
    ["0", 0],
    ["0s", 0],
    ["-1s", -1_000],
    ["+1s", 1_000],
    ["1s1s", 2_000],
  ];
  for (const [text, milliseconds] of expected) {
    assertEquals(parseDuration(text), milliseconds, text);
  }
});

Deno.test("parseDuration: refuses other text", () => {
  for (
    const text of ["", " ", "15", "s", "15 s", "15sec", "1d", "--1s", "1h-30m", "1,5s", "Infinity"]
  ) {
    assertThrows(() => parseDuration(text), KiteError, "must be a duration such as 15s");
  }
  assertThrows(() => parseDuration("1s".repeat(1000)), KiteError, "(2000 characters)");
});

Deno.test("formatDuration: writes durations like Go", () => {
  const expected: [number, string][] = [
    [0, "0s"],
    [500, "500ms"],
    [15_000, "15s"],
    [90_500, "1m30.5s"],
    [300_000, "5m0s"],
    [5_400_000, "1h30m0s"],
    [172_800_000, "48h0m0s"],
    [0.25, "250µs"],
    [0.00025, "250ns"],
    [-1_000, "-1s"],
    [1.5, "1.5ms"],
  ];
  for (const [milliseconds, text] of expected) assertEquals(formatDuration(milliseconds), text);
  assertThrows(() => formatDuration(NaN), KiteError, "NaN");
});

Deno.test("parseDuration: reads every duration that formatDuration writes", () => {
  fc.assert(fc.property(fc.integer({ min: -1e10, max: 1e10 }), (milliseconds) => {
    assertEquals(Math.round(parseDuration(formatDuration(milliseconds))), milliseconds || 0);
  }));
});
