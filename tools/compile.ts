/**
 * `deno task compile [program ...] [-target=TARGET] [-output=FOLDER]`: compiles the programs to
 * binaries in `dist/bin/`, each with the permissions of its task.
 *
 * @module
 */

import { ETCD3_RANGE } from "../kontrol/storage/etcd_grpc.ts";
import { readFlags, runProgram, UnknownWord } from "./command_line.ts";
import { deno } from "./commands.ts";
import { fromFileUrl, ROOT } from "./paths.ts";
import { type Program, readPrograms } from "./programs.ts";

/** The programs that load etcd3 on demand, which Deno does not find by itself. */
const WITH_ETCD: readonly string[] = ["kitectl", "kontrol"];

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
    ...(WITH_ETCD.includes(name) ? [`--include=npm:etcd3@${ETCD3_RANGE}`] : []),
    entry,
  ]);
  if (!success) throw new Error(`Cannot compile ${name}: ${stderr.trim()}`);
  return path;
}

const USAGE = `Usage: deno task compile [PROGRAM ...] [-target=TARGET] [-output=FOLDER]

  PROGRAM  one or more of kitectl, kontrol, kontrol-local, reverseproxy, tunnelproxy; all by default
  -target  a platform of \`deno compile\`, such as aarch64-apple-darwin; this machine's by default
  -output  the folder of the binaries; dist/bin by default`;

async function main(words: readonly string[]): Promise<number> {
  const { values, positionals: wanted } = readFlags(words, {
    target: { type: "string" },
    output: { type: "string" },
  }, { allowPositionals: true });
  const { target, output = fromFileUrl(new URL("dist/bin", ROOT)) } = values;
  const programs = await readPrograms();
  const names = programs.map(({ name }) => name);
  const unknown = wanted.find((word) => !names.includes(word));
  if (unknown !== undefined) throw new UnknownWord("program", unknown, names);
  await Deno.mkdir(output, { recursive: true });
  for (const program of programs) {
    if (wanted.length > 0 && !wanted.includes(program.name)) continue;
    const options = { output, ...(target === undefined ? {} : { target }) };
    console.log(await compileProgram(program, options));
  }
  return 0;
}

if (import.meta.main) await runProgram(USAGE, Deno.args, () => main(Deno.args));
