/**
 * `deno task test [files and flags of deno test]`: prepares what the tests need, runs them, and
 * closes with one line of counts.
 *
 * @module
 */

import { count, summary } from "./junit.ts";
import { isStrict, lack, type Part, PARTS } from "./parts.ts";
import { CACHE, fromFileUrl, ROOT } from "./paths.ts";
import { prepareParts } from "./prepare.ts";

/** Says what lacks, a line each. */
function tellLacks(): Part[] {
  const lacking = PARTS.filter((part) => lack(part) !== undefined);
  for (const part of lacking) {
    console.log(`${isStrict() ? "missing" : "skipping the tests of"} ${lack(part)}`);
  }
  return lacking;
}

async function runTests(args: string[], report: string): Promise<boolean> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--permission-set=test",
      "--trace-leaks",
      `--junit-path=${report}`,
      ...args,
    ],
    cwd: fromFileUrl(ROOT),
    env: { KITE_TEST_LACKS_TOLD: "1" },
  }).spawn().status;
  return success;
}

async function main(args: string[]): Promise<boolean> {
  await prepareParts((what) => console.log(what));
  const isComplete = tellLacks().length === 0 || !isStrict();

  // Its own file, so that no other run's report passes for this one's.
  const report = await Deno.makeTempFile({ dir: fromFileUrl(CACHE), suffix: ".xml" });
  try {
    const success = await runTests(args, report);
    const counts = count(await Deno.readTextFile(report));
    // A test file that cannot even be loaded counts in no report.
    if (!success || !isComplete) counts.failed = Math.max(counts.failed, 1);
    if (counts.passed + counts.failed === 0) console.error("No test ran.");
    console.log(summary(counts));
    return counts.failed === 0 && counts.passed > 0;
  } finally {
    await Deno.remove(report);
  }
}

if (import.meta.main && !await main(Deno.args)) Deno.exit(1);
