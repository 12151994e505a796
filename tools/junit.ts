/**
 * Counts in the report that `deno test --junit-path` writes.
 *
 * @module
 */

/** How the tests of a run ended. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/**
 * Counts the test cases of a JUnit report. An empty report has none.
 */
export function count(report: string): Counts {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  // Texts are escaped in XML, so a tag in the report is a tag.
  for (const [, tag = ""] of report.matchAll(/<(testcase|failure|error|skipped)\b/g)) {
    if (tag === "testcase") {
      counts.passed++;
    } else {
      counts.passed--;
      counts[tag === "skipped" ? "skipped" : "failed"]++;
    }
  }
  return counts;
}

/** Formats the last line of a run. */
export function summary({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}
