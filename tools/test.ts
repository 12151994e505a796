/**
 * `deno task test [files and flags of deno test]`: prepares what the tests need, runs them, and
 * closes with one line of counts.
 *
 * @module
 */

import { count, summary } from "./junit.ts";
import { GO_PEER, isStrict, KITEJS_PEER, lack, type Part, PARTS, programOf } from "./parts.ts";
import { fromFileUrl, ROOT } from "./paths.ts";

const CACHE = new URL(".cache/", ROOT);
const GO_SOURCES = new URL("tests/interop/go/", ROOT);

async function run(program: string, args: string[], cwd: URL): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args,
      cwd: fromFileUrl(cwd),
      stdin: "null",
    }).spawn().status;
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** When the newest file of a folder was changed; 0 where there is none. */
function changed(folder: URL): number {
  let newest = 0;
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    const { mtime } = Deno.statSync(new URL(name, folder));
    if (isFile) newest = Math.max(newest, mtime?.getTime() ?? 0);
  }
  return newest;
}

function modified(file: URL): number {
  try {
    return Deno.statSync(file).mtime?.getTime() ?? 0;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

async function removeIfThere(file: URL): Promise<void> {
  await Deno.remove(file).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function buildGoPeer(): Promise<void> {
  const go = programOf("go");
  if (go === undefined || modified(GO_PEER) > changed(GO_SOURCES)) return;
  console.log("Building the Go peer …");
  if (await run(go, ["build", "-o", fromFileUrl(GO_PEER), "."], GO_SOURCES)) return;
  // What was built from older sources must not pass for these; that it lacks is told below.
  await removeIfThere(GO_PEER);
}

async function installKitejsPeer(): Promise<void> {
  const installed = new URL("node_modules/.package-lock.json", KITEJS_PEER);
  const wanted = new URL("package-lock.json", KITEJS_PEER);
  if (programOf("node") === undefined || modified(installed) > modified(wanted)) return;
  console.log("Installing the kite.js peer …");
  const npm = Deno.build.os === "windows" ? "npm.cmd" : "npm";
  await run(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], KITEJS_PEER);
}

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
  await Deno.mkdir(new URL("interop/", CACHE), { recursive: true });
  await Promise.all([buildGoPeer(), installKitejsPeer()]);
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
