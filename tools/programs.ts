/**
 * The programs of this project. Their tasks in deno.json name the module and the permission set of
 * each; tests, the npm package and `deno task compile` read them from there.
 *
 * @module
 */

import { ROOT } from "./paths.ts";

/** A program. */
export interface Program {
  /** The name of its task and of its binary. */
  readonly name: string;
  /** The set of deno.json's `permissions` that it runs with. */
  readonly permissions: string;
  /** Its module, from the project's folder. */
  readonly entry: string;
}

/** The tasks that run programs. */
const NAMES: readonly string[] = [
  "kitectl",
  "kontrol",
  "kontrol-local",
  "reverseproxy",
  "tunnelproxy",
];

/** Reads the programs from deno.json. */
export async function readPrograms(): Promise<Program[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  return NAMES.map((name) => {
    const command: string = tasks[name]?.command ?? "";
    const [, permissions, entry] = /^deno run --permission-set=(\S+) (\S+)$/.exec(command) ?? [];
    if (permissions === undefined || entry === undefined) {
      throw new Error(`Cannot read the task ${name} of deno.json: must be \`deno run\` with a set`);
    }
    return { name, permissions, entry };
  });
}
