/**
 * Checks that only src/runtime names a platform: the types of all other files must hold without
 * Deno's, Node's and a browser's own globals.
 *
 * @module
 */

import { deno } from "./commands.ts";
import { publishedFiles } from "./imports.ts";
import { CACHE, fromFileUrl, ROOT } from "./paths.ts";

/** The web's standard interfaces: no `Deno`, `console`, `window` or `document`. */
const WEB_TYPES = [
  "esnext",
  "deno.web",
  "deno.fetch",
  "deno.url",
  "deno.websocket",
  "deno.crypto",
];

const RUNTIME = new URL("src/runtime/", ROOT).href;

/**
 * Type-checks files against the web's standard interfaces only.
 *
 * @param files URLs, or paths relative to the project's folder
 * @returns an error for each use of something else, except in src/runtime
 */
export async function platformErrors(files: readonly string[]): Promise<string[]> {
  const text = await Deno.readTextFile(new URL("deno.json", ROOT));
  const { compilerOptions, imports, nodeModulesDir } = JSON.parse(text);
  await Deno.mkdir(CACHE, { recursive: true });
  const config = await Deno.makeTempFile({ dir: fromFileUrl(CACHE), suffix: ".json" });
  try {
    await Deno.writeTextFile(
      config,
      JSON.stringify({
        compilerOptions: { ...compilerOptions, lib: WEB_TYPES },
        imports,
        nodeModulesDir,
        lock: false,
      }),
    );
    const urls = files.map((file) => new URL(file, ROOT).href);
    const { success, stderr } = await deno(["check", "--quiet", `--config=${config}`, ...urls]);
    if (success) return [];
    const errors = readErrors(stderr);
    if (errors.length === 0) throw new Error(stderr);
    // The files of src/runtime are checked as well, because the others import them.
    return errors.filter(({ url }) => !url.startsWith(RUNTIME)).map(({ text }) => text);
  } finally {
    await Deno.remove(config);
  }
}

/** Splits the output of `deno check` into its errors, each with the URL of its file. */
function readErrors(output: string): { readonly url: string; readonly text: string }[] {
  return output.split(/^(?=TS\d+ \[ERROR\])/m).flatMap((text) => {
    const url = /^ {4}at (file:\S+):\d+:\d+$/m.exec(text)?.[1];
    return url === undefined ? [] : [{ url, text: text.trim() }];
  });
}

if (import.meta.main) {
  const errors = await platformErrors(publishedFiles());
  if (errors.length > 0) {
    console.error(`${errors.join("\n\n")}\n\nOnly src/runtime names a platform.`);
    Deno.exit(1);
  }
}
