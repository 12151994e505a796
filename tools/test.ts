/**
 * `deno task test [files and flags of deno test]`: prepares what the selected tests need, runs
 * them, in parallel where possible, and prints one line of counts at the end.
 *
 * @module
 */

import { runProgram } from "./command_line.ts";
import { count, type Counts, summary } from "./junit.ts";
import { isStrict, lack, type Part } from "./parts.ts";
import { CACHE, fromFileUrl, ROOT, TEST_LOCK } from "./paths.ts";
import { prepareParts } from "./prepare.ts";
import { partsOf, runsInParallel, selectTests } from "./test_files.ts";
import { checkTestFlags } from "./test_flags.ts";

/** Prints which parts are missing, a line each, and returns whether some are. */
function reportMissing(parts: readonly Part[]): boolean {
  const reasons = parts.map(lack).filter((reason) => reason !== undefined);
  for (const reason of reasons) {
    console.log(`${isStrict() ? "missing" : "skipping the tests of"} ${reason}`);
  }
  return reasons.length > 0;
}

/** Runs test files and counts their results. */
async function run(files: readonly string[], flags: readonly string[]): Promise<Counts> {
  // Each run has its own file, so that it cannot read the report of another run.
  const report = await Deno.makeTempFile({ dir: fromFileUrl(CACHE), suffix: ".xml" });
  try {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        TEST_LOCK,
        "--permission-set=test",
        "--trace-leaks",
        `--junit-path=${report}`,
        ...flags,
        ...files,
      ],
      cwd: fromFileUrl(ROOT),
      env: { KITE_TEST_LACKS_TOLD: "1", DENO_JOBS: Deno.env.get("DENO_JOBS") ?? String(JOBS) },
    }).spawn().status;
    const counts = count(await Deno.readTextFile(report));
    // The report does not contain test files that cannot be loaded.
    if (!success) counts.failed = Math.max(counts.failed, 1);
    return counts;
  } finally {
    await Deno.remove(report);
  }
}

/** Most tests wait for processes and timers, so there are more threads than processors. */
const JOBS = 2 * navigator.hardwareConcurrency;

async function main(args: readonly string[]): Promise<boolean> {
  const { files, flags } = selectTests(args);
  await checkTestFlags(flags);
  const parts = await partsOf(files);
  await Deno.mkdir(CACHE, { recursive: true });
  await prepareParts(parts, (what) => console.log(what));
  const isIncomplete = reportMissing(parts) && isStrict();

  const parallel = files.filter(runsInParallel);
  const rest = files.filter((file) => !parallel.includes(file));
  // The output of a single file is easier to read without `--parallel`.
  const results = parallel.length > 1
    ? [
      await run(parallel, ["--parallel", ...flags]),
      ...rest.length > 0 ? [await run(rest, flags)] : [],
    ]
    : [await run(files, flags)];
  const counts = results.reduce((sum, { passed, failed, skipped }) => ({
    passed: sum.passed + passed,
    failed: sum.failed + failed,
    skipped: sum.skipped + skipped,
  }));
  if (isIncomplete) counts.failed = Math.max(counts.failed, 1);
  if (counts.passed + counts.failed === 0) console.error("No test ran.");
  console.log(summary(counts));
  return counts.failed === 0 && counts.passed > 0;
}

const USAGE = `Usage: deno task test [FILE|FOLDER ...] [flags of deno test]

Prepares what the tests need, runs them, and prints one line of counts. Without files, it runs all
tests. Flags are those of \`deno test\`, such as:

  --filter=TEXT  runs only the tests whose names contain the text
  --fail-fast    stops at the first failure
  --no-check     skips the type check`;

if (import.meta.main) {
  await runProgram(USAGE, Deno.args, async () => await main(Deno.args) ? 0 : 1);
}
