import { assert } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

/** Copies the files that a clone of this repository has, with the changes that are not committed. */
export async function copyClone(folder: string): Promise<void> {
  const root = fromFileUrl(ROOT);
  const list = await output("git", "-C", root, "ls-files", "-co", "--exclude-standard");
  const files = list.trim().split("\n");
  assert(files.includes("deno.json"));
  for (const file of files) {
    await Deno.mkdir(`${folder}/${file}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.copyFile(`${root}${file}`, `${folder}/${file}`);
  }
}

/** Runs a program to its end, and returns what it prints. */
export async function output(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" })
    .output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}
