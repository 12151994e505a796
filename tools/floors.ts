/**
 * The floors of the house: which room may import from which, and who may name the runtime.
 *
 * @module
 */

/**
 * The floor of each room. A room imports from lower floors only; the rooms of {@link OPEN_FLOOR}
 * may also import from each other.
 */
const FLOORS: Readonly<Record<string, number>> = {
  protocol: 0,
  runtime: 1,
  dnode: 2,
  transport: 2,
  auth: 2,
  rpc: 3,
  builtins: 4,
  kite: 4,
  client: 4,
  discovery: 4,
  entry: 5,
  kontrol: 6,
  proxy: 6,
  kitectl: 6,
  testing: 7,
};

const OPEN_FLOOR = 4;

/**
 * Globals of one runtime only; the standards' own (URL, fetch, crypto …) are free for all. And the
 * console: what a library says goes through its log.
 */
export const RUNTIME_GLOBALS: ReadonlySet<string> = new Set([
  "Buffer",
  "Bun",
  "Deno",
  "XMLHttpRequest",
  "__dirname",
  "__filename",
  "alert",
  "console",
  "document",
  "global",
  "localStorage",
  "location",
  "navigator",
  "process",
  "require",
  "self",
  "sessionStorage",
  "window",
]);

/**
 * The room that a file of this project is in; undefined where the floors do not apply (tests,
 * tools, examples).
 *
 * @param path relative to the project's folder, with `/`
 */
export function roomOf(path: string): string | undefined {
  const [top = "", second = "", ...rest] = path.split("/");
  if (second === "") return top.endsWith(".ts") ? "entry" : undefined;
  if (top === "kontrol") return "kontrol";
  if (top !== "src") return undefined;
  // A file directly in src/ is part of what kite.ts and client.ts make up.
  return rest.length === 0 ? "kite" : second;
}

/** Why `from` may not import `to` (both as {@link roomOf} takes them); undefined if it may. */
export function refuseImport(from: string, to: string): string | undefined {
  const room = roomOf(from);
  if (room === undefined) return undefined;
  const target = roomOf(to);
  if (target === undefined) return `${to} is not published, so ${room} cannot import it`;
  if (target === room) return undefined;

  const floor = FLOORS[room];
  const below = FLOORS[target];
  if (floor === undefined) return `src/${room} has no floor yet: give it one in tools/floors.ts`;
  if (below === undefined) return `src/${target} has no floor yet: give it one in tools/floors.ts`;
  if (below < floor || (below === floor && floor === OPEN_FLOOR)) return undefined;
  return `${room} (floor ${floor}) imports from ${target} (floor ${below}): only lower floors`;
}

/** Why `from` may not import a built-in module of a runtime; undefined if it may. */
export function refuseBuiltin(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith("node:") && !specifier.startsWith("bun:")) return undefined;
  return mayNameRuntime(from) ? undefined : `only src/runtime imports ${specifier}`;
}

/** Whether a file may name the globals and built-in modules of a runtime. */
export function mayNameRuntime(path: string): boolean {
  const room = roomOf(path);
  return room === undefined || room === "runtime";
}

/** A file and what it imports of this project. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** A circle of imports, its first file repeated at the end; undefined if there is none. */
export function findCircle(graph: Graph): string[] | undefined {
  const done = new Set<string>();
  const path: string[] = [];

  function visit(file: string): string[] | undefined {
    if (done.has(file)) return undefined;
    const start = path.indexOf(file);
    if (start >= 0) return [...path.slice(start), file];
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next);
      if (circle) return circle;
    }
    path.pop();
    done.add(file);
    return undefined;
  }

  for (const file of graph.keys()) {
    const circle = visit(file);
    if (circle) return circle;
  }
  return undefined;
}
