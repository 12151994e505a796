/**
 * Finds import cycles, and files that are too long. The layers are
 * checked by `deno lint` (tools/layers_lint.ts).
 *
 * @module
 */

import { deno } from "./commands.ts";
import { findCycle, type Graph, moduleOf } from "./layers.ts";
import { ROOT, TEST_LOCK } from "./paths.ts";

/** Longer files usually hold two ideas. */
const MAX_FILE_LINES = 350;

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
  for (const file of files) {
    const lines = Deno.readTextFileSync(new URL(file, ROOT)).split("\n").length - 1;
    if (lines > MAX_FILE_LINES) {
      console.warn(`warning: ${file}: ${lines} lines, more than ${MAX_FILE_LINES}`);
    }
  }

  const cycle = findCycle(await graphOf(files));
  if (cycle) console.error(`${cycle[0]}: import cycle: ${cycle.join(" -> ")}`);
  return cycle === undefined;
}

if (import.meta.main && !await checkImports()) Deno.exit(1);
