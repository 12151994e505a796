/**
 * `deno task ok`: everything to know of the code without running it. Goes on after a failure, so
 * that one run tells all.
 *
 * @module
 */

import { fromFileUrl, ROOT } from "./paths.ts";

/** The modules that this package exports, as deno.json names them. */
async function exportedModules(): Promise<string[]> {
  const config: unknown = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return Object.values((config as { exports: Record<string, string> }).exports);
}

async function isOk(args: string[]): Promise<boolean> {
  console.log(`\n== deno ${args.join(" ")}`);
  const { success } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: fromFileUrl(ROOT),
    stdin: "null",
  }).spawn().status;
  return success;
}

async function main(): Promise<boolean> {
  const steps = [
    ["fmt", "--check"],
    ["lint"],
    ["run", "--permission-set=tools", "tools/house.ts"],
    ["check"],
    ["doc", "--lint", ...await exportedModules()],
    ["publish", "--dry-run", "--allow-dirty"],
  ];
  const failed: string[] = [];
  for (const args of steps) {
    if (!await isOk(args)) failed.push(`deno ${args.join(" ")}`);
  }
  console.log(failed.length === 0 ? "\nok" : `\nnot ok: ${failed.join("; ")}`);
  return failed.length === 0;
}

if (import.meta.main && !await main()) Deno.exit(1);
