/**
 * The layers of the source: which module may import from which.
 *
 * @module
 */

/**
 * The layer of each module. A module imports from lower layers only; the modules of
 * {@link SHARED_LAYER} may also import from each other.
 */
const LAYERS: Readonly<Record<string, number>> = {
  protocol: 0,
  runtime: 1,
  dnode: 2,
  transport: 2,
  auth: 2,
  rpc: 3,
  builtins: 4,
  contract: 4,
  kite: 4,
  client: 4,
  page: 4,
  discovery: 4,
  entry: 5,
  kontrol: 6,
  proxy: 6,
  kitectl: 7,
  testing: 7,
};

const SHARED_LAYER = 4;

/**
 * Finds the module of a file.
 *
 * @param path relative to the project's folder, with `/`
 * @returns its name, or undefined where the layers do not apply (tests, tools, examples)
 */
export function moduleOf(path: string): string | undefined {
  const [top = "", second = "", ...rest] = path.split("/");
  if (second === "") return top.endsWith(".ts") ? "entry" : undefined;
  if (top === "kontrol") return "kontrol";
  if (top !== "src") return undefined;
  // The files directly in src/ make up Kite and Client.
  return rest.length === 0 ? "kite" : second;
}

/**
 * Checks an import against the layers.
 *
 * @param from the importing file, as {@link moduleOf} takes it
 * @param to the imported file
 * @returns why it is refused, or undefined if it is allowed
 */
export function refuseImport(from: string, to: string): string | undefined {
  const module = moduleOf(from);
  if (module === undefined) return undefined;
  const target = moduleOf(to);
  if (target === undefined) return `${module} cannot import ${to}: it is not published`;
  if (target === module) return undefined;

  const layer = LAYERS[module];
  const below = LAYERS[target];
  if (layer === undefined) return `src/${module} has no layer yet: add it to tools/layers.ts`;
  if (below === undefined) return `src/${target} has no layer yet: add it to tools/layers.ts`;
  if (below < layer || (below === layer && layer === SHARED_LAYER)) return undefined;
  return `${module} (layer ${layer}) cannot import ${target} (layer ${below}): ` +
    "a module imports from lower layers only";
}

/**
 * Checks the import of a platform's built-in module.
 *
 * @param from the importing file, as {@link moduleOf} takes it
 * @param specifier what it imports, such as `node:fs`
 * @returns why it is refused, or undefined if it is allowed
 */
export function refuseBuiltin(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith("node:") && !specifier.startsWith("bun:")) return undefined;
  const module = moduleOf(from);
  if (module === undefined || module === "runtime") return undefined;
  return `${module} cannot import ${specifier}: only src/runtime names a platform`;
}

/** Each file and the files of this project that it imports. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/**
 * Finds an import cycle.
 *
 * @returns its files in order, the first one repeated at the end, or undefined if there is none
 */
export function findCycle(graph: Graph): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];

  function visit(file: string): string[] | undefined {
    if (done.has(file)) return undefined;
    const start = path.indexOf(file);
    if (start >= 0) return [...path.slice(start), file];
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next);
      if (cycle) return cycle;
    }
    path.pop();
    done.add(file);
    return undefined;
  }

  for (const file of graph.keys()) {
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}
