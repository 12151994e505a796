import { isStrict, lack, type Part } from "../../tools/parts.ts";

/**
 * Skips a test if a program from outside that it needs is missing, and says so in one line. With
 * `CI=true` it throws instead, so the test file fails.
 *
 * @example
 * ```ts
 * Deno.test({ name: "talks to a Go kite", ...skipUnless("go"), fn: async () => {} });
 * ```
 */
export function skipUnless(...parts: Part[]): { ignore: boolean } {
  const lacks = parts.map(lack).filter((line) => line !== undefined);
  if (lacks.length === 0) return { ignore: false };
  if (isStrict()) throw new Error(`Cannot run these tests: ${lacks.join("; ")}`);
  // `deno task test` has already reported it, once for all files.
  if (!Deno.env.has("KITE_TEST_LACKS_TOLD")) console.log(`skipped: ${lacks.join("; ")}`);
  return { ignore: true };
}
