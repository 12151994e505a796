import { assert, assertEquals } from "@std/assert";
import { gzippedBytes } from "../support/gzip.ts";
import { bundle } from "./support.ts";

/**
 * Bytes, minified and compressed. docs/browser.md lists what they hold. A bundle that Vite makes of the
 * npm package is a little smaller, and is tested there.
 */
const MOST_BYTES = 31_000;

Deno.test("the bundle of a page stays small, minified and compressed", async () => {
  const bytes = await gzippedBytes(await bundle("tests/browser/only_kite.ts"));
  assert(bytes <= MOST_BYTES, `${bytes} bytes`);
});

Deno.test("the bundle of a page evaluates no text as code and names no module of Node", async () => {
  const script = await bundle("client.ts");
  for (const forbidden of [/\beval\(/, /\bnew Function\b/, /\bFunction\(/, /["']node:/]) {
    assertEquals(script.match(forbidden), null);
  }
});
