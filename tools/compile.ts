/**
 * `deno task compile [program ...] [-target=TARGET] [-output=FOLDER]`: compiles the programs to
 * binaries in `dist/bin/`, each with the permissions of its task.
 *
 * @module
 */

import { deno } from "./commands.ts";
import { fromFileUrl, ROOT } from "./paths.ts";
import { type Program, readPrograms } from "./programs.ts";

/** How to compile. */
export interface CompileOptions {
  /** The folder of the binaries. */
  readonly output: string;
  /** A target of `deno compile`, such as "aarch64-apple-darwin"; this machine's by default. */
  readonly target?: string;
}

/**
 * Compiles a program. `deno compile` downloads Deno's base binary once, unless `DENORT_BIN` names one.
 *
 * @returns the path of the binary
 */
export async function compileProgram(
  { name, permissions, entry }: Program,
  { output, target }: CompileOptions,
): Promise<string> {
  const path = `${output}/${name}${target?.includes("windows") ? ".exe" : ""}`;
  const { success, stderr } = await deno([
    "compile",
    "--quiet",
    "--no-check",
    "--no-prompt",
    `--permission-set=${permissions}`,
    ...(target === undefined ? [] : [`--target=${target}`]),
    `--output=${path}`,
    entry,
  ]);
  if (!success) throw new Error(`Cannot compile ${name}: ${stderr.trim()}`);
  return path;
}

async function main(words: readonly string[]): Promise<void> {
  const flag = (name: string): string | undefined =>
    words.find((word) => word.startsWith(`-${name}=`))?.slice(name.length + 2);
  const target = flag("target");
  const output = flag("output") ?? fromFileUrl(new URL("dist/bin", ROOT));
  const wanted = words.filter((word) => !word.startsWith("-"));
  const programs = await readPrograms();
  const unknown = wanted.find((word) => !programs.some(({ name }) => name === word));
  if (unknown !== undefined) throw new Error(`There is no program ${unknown}`);
  await Deno.mkdir(output, { recursive: true });
  for (const program of programs) {
    if (wanted.length > 0 && !wanted.includes(program.name)) continue;
    const options = { output, ...(target === undefined ? {} : { target }) };
    console.log(await compileProgram(program, options));
  }
}

if (import.meta.main) await main(Deno.args);
