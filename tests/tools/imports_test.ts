import { assertEquals } from "@std/assert";
import { codeLines } from "../../tools/imports.ts";

Deno.test("codeLines: counts neither empty lines nor those of comments", () => {
  const text = `/**
 * A module.
 */

// A line.
const one = 1; // counts
/** Its double. */
const two = 2 * one;
  /* in one line */
const text = "// counts";
`;
  assertEquals(codeLines(text), 3);
});
