import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { isTooDeepToParse, nestsDeeperThan } from "../../src/protocol/nesting.ts";

/** The depth of a JSON text, by reading it character by character. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (inString) {
      if (c === "\\") i++;
      else if (c === '"') inString = false;
    } else if (c === '"') inString = true;
    else if (c === "[" || c === "{") deepest = Math.max(deepest, ++depth);
    else if (c === "]" || c === "}") depth--;
  }
  return deepest;
}

Deno.test("nestsDeeperThan: agrees with a simple parser on JSON", () => {
  const text = fc.json({ maxDepth: 9 });
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 8 }), (json, most) => {
      assertEquals(nestsDeeperThan(json, most), depthOf(json) > most);
    }),
    { numRuns: 500 },
  );
});

Deno.test("nestsDeeperThan: agrees with a simple parser on invalid JSON, except short texts", () => {
  const part = fc.constantFrom("[", "]", "{", "}", '"', "\\", '\\"', "a", "[[", '"]"', ",", "\\\\");
  const text = fc.array(part, { minLength: 20, maxLength: 60 }).map((parts) => parts.join(""));
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 6 }), (broken, most) => {
      assertEquals(nestsDeeperThan(broken, most), depthOf(broken) > most);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("nestsDeeperThan: applies the limit exactly", () => {
  const nest = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assertEquals(nestsDeeperThan(nest(512), 512), false);
  assertEquals(nestsDeeperThan(nest(513), 512), true);
  assertEquals(nestsDeeperThan(nest(512) + ",".repeat(2_000), 512), false);
  assertEquals(nestsDeeperThan('{"a":'.repeat(513) + "1" + "}".repeat(513), 512), true);
});

Deno.test("nestsDeeperThan: ignores brackets in strings", () => {
  assertEquals(nestsDeeperThan(JSON.stringify("[".repeat(4_000)), 512), false);
  assertEquals(nestsDeeperThan(JSON.stringify(['\\"' + "[".repeat(4_000)]), 512), false);
});

Deno.test("nestsDeeperThan: needs linear time for any text", () => {
  const size = 4_000_000;
  const texts = [
    "\\".repeat(size),
    '"'.repeat(size),
    '\\"'.repeat(size / 2),
    '"\\'.repeat(size / 2),
  ];
  for (const text of texts) {
    const start = performance.now();
    nestsDeeperThan(text, 512);
    const took = performance.now() - start;
    if (took > 1_500) throw new Error(`${JSON.stringify(text.slice(0, 4))}…: ${took} ms`);
  }
});

Deno.test("isTooDeepToParse: applies its limit exactly, to arrays and objects", () => {
  const nest = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  const pad = `"${"x".repeat(10_000)}"`;
  assertEquals(isTooDeepToParse(nest(4_096)), false);
  assertEquals(isTooDeepToParse(nest(4_097)), true);
  assertEquals(isTooDeepToParse(`[${pad},${nest(4_096)}]`), true);
  assertEquals(isTooDeepToParse('{"a":['.repeat(2_049) + pad + "]}".repeat(2_049)), true);
});

Deno.test("isTooDeepToParse: accepts many arrays and objects, and brackets in strings", () => {
  assertEquals(isTooDeepToParse(`[${"[],{},".repeat(50_000)}[]]`), false);
  assertEquals(isTooDeepToParse(JSON.stringify("[{".repeat(50_000))), false);
});
