/**
 * Finds import cycles, and files that are too long. The layers are
 * checked by `deno lint` (tools/layers_lint.ts).
 *
 * @module
 */

import { deno } from "./commands.ts";
import { findCycle, type Graph, moduleOf } from "./layers.ts";
import { ROOT, TEST_LOCK } from "./paths.ts";

/** Longer files usually hold two ideas. Comments and empty lines do not count. */
const MAX_CODE_LINES = 300;

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** Lists every published file, relative to the project's folder. */
export function publishedFiles(): string[] {
  const files: string[] = [];
  function walk(folder: string): void {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder || ".", ROOT))) {
      const path = folder + name;
      if (isDirectory && (folder || name === "src" || name === "kontrol")) walk(`${path}/`);
      else if (path.endsWith(".ts") && moduleOf(path)) files.push(path);
    }
  }
  walk("");
  return files.sort();
}

/**
 * Resolves the imports of files and of everything that they import, types included.
 *
 * @param files URLs, or paths relative to the project's folder
 * @returns the files of this project
 * @throws {Error} if an import cannot be resolved
 */
export async function graphOf(files: readonly string[]): Promise<Graph> {
  // `deno info` takes one module: a data URL that imports all of them.
  const all = files.map((file) => `import ${JSON.stringify(new URL(file, ROOT).href)};`).join("");
  const { success, stdout, stderr } = await deno([
    "info",
    TEST_LOCK,
    "--json",
    `data:application/typescript,${encodeURIComponent(all)}`,
  ]);
  if (!success) throw new Error(stderr);

  const graph = new Map<string, string[]>();
  for (const { specifier, dependencies } of (JSON.parse(stdout) as Info).modules) {
    const file = local(specifier);
    if (file === undefined) continue;
    const targets = (dependencies ?? []).map(({ code, type }) =>
      local(code?.specifier ?? type?.specifier)
    );
    graph.set(file, targets.filter((target) => target !== undefined));
  }
  return graph;
}

function local(specifier: string | undefined): string | undefined {
  return specifier?.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : undefined;
}

/** Prints all findings. Returns true if there are none. */
async function checkImports(): Promise<boolean> {
  const files = publishedFiles();
  const long = files.filter((file) => {
    const lines = codeLines(Deno.readTextFileSync(new URL(file, ROOT)));
    if (lines > MAX_CODE_LINES) {
      console.error(`${file}: ${lines} lines of code, more than ${MAX_CODE_LINES}`);
    }
    return lines > MAX_CODE_LINES;
  });
  const cycle = findCycle(await graphOf(files));
  if (cycle) console.error(`${cycle[0]}: import cycle: ${cycle.join(" -> ")}`);
  return cycle === undefined && long.length === 0;
}

/** The number of lines that are neither empty nor only a comment. */
export function codeLines(text: string): number {
  const code = text.replaceAll(/^\s*\/\*[\s\S]*?\*\/\s*$/gm, "").split("\n");
  return code.filter((line) => !/^\s*(\/\/.*)?$/.test(line)).length;
}

if (import.meta.main && !await checkImports()) Deno.exit(1);
