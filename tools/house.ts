/**
 * What no single file shows: circles of imports, and files that have grown too long.
 * `deno lint` knows the rest of the floors (tools/floors_lint.ts).
 *
 * @module
 */

import { findCircle, type Graph, roomOf } from "./floors.ts";
import { fromFileUrl, ROOT } from "./paths.ts";

const LONG_FILE_LINES = 350;

interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly code?: { readonly specifier?: string };
      readonly type?: { readonly specifier?: string };
    }[];
  }[];
}

/** Every published file, relative to the project's folder. */
export function publishedFiles(): string[] {
  const files: string[] = [];
  function walk(folder: string): void {
    for (const { name, isDirectory } of Deno.readDirSync(new URL(folder || ".", ROOT))) {
      const path = folder + name;
      if (isDirectory && (folder || name === "src" || name === "kontrol")) walk(`${path}/`);
      else if (path.endsWith(".ts") && roomOf(path)) files.push(path);
    }
  }
  walk("");
  return files.sort();
}

function local(specifier: string | undefined): string | undefined {
  return specifier?.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : undefined;
}

/** The imports among the given files, types included, as Deno resolves them. */
export async function graphOf(files: readonly string[]): Promise<Graph> {
  // A data URL that imports them all: `deno info` takes one module.
  const all = files.map((file) => `import ${JSON.stringify(new URL(file, ROOT).href)};`).join("");
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", `data:application/typescript,${encodeURIComponent(all)}`],
    cwd: fromFileUrl(ROOT),
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));

  const graph = new Map<string, string[]>();
  for (
    const { specifier, dependencies } of (JSON.parse(new TextDecoder().decode(stdout)) as Info)
      .modules
  ) {
    const file = local(specifier);
    if (file === undefined || roomOf(file) === undefined) continue;
    const targets = (dependencies ?? []).map(({ code, type }) =>
      local(code?.specifier ?? type?.specifier)
    );
    graph.set(file, targets.filter((target) => target !== undefined));
  }
  return graph;
}

/** Prints what is wrong; says whether all is well. */
export async function checkHouse(): Promise<boolean> {
  const files = publishedFiles();
  for (const file of files) {
    const lines = Deno.readTextFileSync(new URL(file, ROOT)).split("\n").length - 1;
    if (lines > LONG_FILE_LINES) {
      console.warn(`warning: ${file}: ${lines} lines, over ${LONG_FILE_LINES}: two ideas?`);
    }
  }

  const circle = findCircle(await graphOf(files));
  if (circle) console.error(`${circle[0]}: a circle of imports: ${circle.join(" -> ")}`);
  return circle === undefined;
}

if (import.meta.main && !await checkHouse()) Deno.exit(1);
