import { ROOT } from "../../tools/paths.ts";

/** A page of the documentation. */
export interface Page {
  /** Its path from the project's folder, such as `docs/methods.md`. */
  readonly path: string;
  readonly text: string;
}

/** A fenced block of a page. */
export interface Block {
  readonly path: string;
  /** What follows the fence, such as `ts` or `sh ignore`. */
  readonly kind: string;
  readonly text: string;
  /** The line of the page on which the text begins. */
  readonly line: number;
}

/** A table of a page: its heads and its rows, as text. */
export interface Table {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The README, the pages next to it, and those in docs/. */
export const PAGES: readonly Page[] = ["", "docs/"].flatMap((folder) =>
  Array.from(Deno.readDirSync(new URL(folder || ".", ROOT)), ({ name }) => folder + name)
    .filter((path) => path.endsWith(".md"))
    .sort()
    .map((path) => ({ path, text: Deno.readTextFileSync(new URL(path, ROOT)) }))
);

/** Returns the page with this path. */
export function page(path: string): Page {
  const found = PAGES.find((page) => page.path === path);
  if (found === undefined) throw new Error(`There is no page ${path}`);
  return found;
}

/** Returns the fenced blocks of a page. */
export function blocks({ path, text }: Page): Block[] {
  const found: Block[] = [];
  let open: { kind: string; line: number; lines: string[] } | undefined;
  text.split("\n").forEach((line, index) => {
    if (open === undefined) {
      if (line.startsWith("```")) open = { kind: line.slice(3), line: index + 2, lines: [] };
    } else if (line === "```") {
      found.push({ path, kind: open.kind, line: open.line, text: open.lines.join("\n") });
      open = undefined;
    } else {
      open.lines.push(line);
    }
  });
  return found;
}

/** Returns the table of a page that has these words at its head. */
export function table(path: string, ...heads: string[]): Table {
  const found = tables(page(path)).find((one) => heads.every((head, i) => one.heads[i] === head));
  if (found === undefined) throw new Error(`${path} has no table of ${heads.join(", ")}`);
  return found;
}

/** Returns the rows of all tables of a page. */
export function rowsOf(page: Page): (readonly string[])[] {
  return tables(page).flatMap(({ rows }) => rows);
}

function tables({ text }: Page): Table[] {
  const found: Table[] = [];
  for (const part of text.split("\n\n")) {
    const lines = part.trim().split("\n");
    if (!/^\|[-| ]+\|$/.test(lines[1] ?? "")) continue;
    const [heads = [], , ...rows] = lines.map((line) =>
      line.slice(1, -1).split("|").map((cell) => cell.trim())
    );
    found.push({ heads, rows });
  }
  return found;
}

/** Returns the names in the code spans of a cell. */
export function names(cell: string | undefined): string[] {
  return Array.from((cell ?? "").matchAll(/`([^`]+)`/g), ([, name]) => name!);
}

/** Returns what a program prints according to its comments: `// prints A, then B`. */
export function promised(text: string): string[] {
  return Array.from(text.matchAll(/\/\/ prints (.*)$/gm), ([, said]) => said!.split(", then "))
    .flat();
}
