import { ROOT } from "../../tools/paths.ts";

/** A fenced block of the README. */
export interface Block {
  /** What follows the fence, such as `ts` or `sh ignore`. */
  readonly kind: string;
  readonly text: string;
  /** The line of the README on which the text begins. */
  readonly line: number;
}

/** A table of the README: its heads and its rows, as text. */
export interface Table {
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** The README. */
export const README: string = await Deno.readTextFile(new URL("README.md", ROOT));

/** Its fenced blocks. */
export function blocks(markdown: string): Block[] {
  const found: Block[] = [];
  let open: { kind: string; line: number; lines: string[] } | undefined;
  markdown.split("\n").forEach((line, index) => {
    if (open === undefined) {
      if (line.startsWith("```")) open = { kind: line.slice(3), line: index + 2, lines: [] };
    } else if (line === "```") {
      found.push({ kind: open.kind, line: open.line, text: open.lines.join("\n") });
      open = undefined;
    } else {
      open.lines.push(line);
    }
  });
  return found;
}

/** Its tables. */
export function tables(markdown: string): Table[] {
  const found: Table[] = [];
  for (const part of markdown.split("\n\n")) {
    const lines = part.trim().split("\n");
    if (!/^\|[-| ]+\|$/.test(lines[1] ?? "")) continue;
    const [heads = [], , ...rows] = lines.map((line) =>
      line.slice(1, -1).split("|").map((cell) => cell.trim())
    );
    found.push({ heads, rows });
  }
  return found;
}

/** The table with these words at its head. */
export function table(...heads: string[]): Table {
  const found = tables(README).find((one) => heads.every((head, i) => one.heads[i] === head));
  if (found === undefined) throw new Error(`the README has no table of ${heads.join(", ")}`);
  return found;
}

/** The names that stand in code spans of a cell. */
export function names(cell: string | undefined): string[] {
  return Array.from((cell ?? "").matchAll(/`([^`]+)`/g), ([, name]) => name!);
}

/** What a program's comments say that it prints: `// prints A, then B`. */
export function promised(text: string): string[] {
  return Array.from(text.matchAll(/\/\/ prints (.*)$/gm), ([, said]) => said!.split(", then "))
    .flat();
}
