/**
 * Runs programs in the project's folder.
 *
 * @module
 */

import { fromFileUrl, ROOT } from "./paths.ts";

/** The exit code and output of a command. */
export interface Result {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `deno` to its end, without colors. */
export async function deno(args: readonly string[]): Promise<Result> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: fromFileUrl(ROOT),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}
