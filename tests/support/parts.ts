import { isStrict, lack, type Part } from "../../tools/parts.ts";

/**
 * The `ignore` of a test that needs programs from outside. Where one lacks, the test is skipped
 * and one line says so; with `CI=true` it throws instead, and the test file fails.
 *
 * @example
 * ```ts
 * Deno.test({ name: "talks to a Go kite", ...skipUnless("go"), fn: async () => {} });
 * ```
 */
export function skipUnless(...parts: Part[]): { ignore: boolean } {
  const lacks = parts.map(lack).filter((line) => line !== undefined);
  if (lacks.length === 0) return { ignore: false };
  if (isStrict()) throw new Error(`A part of the tests is missing: ${lacks.join("; ")}`);
  // `deno task test` has said it already, once for all files.
  if (!Deno.env.has("KITE_TEST_LACKS_TOLD")) console.log(`skipped: ${lacks.join("; ")}`);
  return { ignore: true };
}
