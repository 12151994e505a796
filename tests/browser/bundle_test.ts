import { assert, assertEquals } from "@std/assert";
import { bundle } from "./support.ts";

/** Bytes, minified and compressed. docs/browser.md lists what they hold. */
const MOST_BYTES = 35 * 1_024;

async function gzippedBytes(text: string): Promise<number> {
  const compressed = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(compressed).arrayBuffer()).byteLength;
}

Deno.test("the bundle of a page has at most 35 KB, minified and compressed", async () => {
  const bytes = await gzippedBytes(await bundle("tests/browser/only_kite.ts"));
  assert(bytes <= MOST_BYTES, `${bytes} bytes`);
});

Deno.test("the bundle of a page evaluates no text as code and names no module of Node", async () => {
  const script = await bundle("client.ts");
  for (const forbidden of [/\beval\(/, /\bnew Function\b/, /\bFunction\(/, /["']node:/]) {
    assertEquals(script.match(forbidden), null);
  }
});
