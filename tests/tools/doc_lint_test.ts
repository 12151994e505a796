import { assertEquals } from "@std/assert";
import plugin from "../../tools/doc_lint.ts";

/** What the rule makes of a source; undefined if it finds nothing. */
function fixed(source: string): string | undefined {
  const [diagnostic] = Deno.lint.runPlugin(plugin, "a.ts", source);
  if (diagnostic === undefined) return undefined;
  const { range: [start, end], text } = diagnostic.fix![0]!;
  return source.slice(0, start) + text + source.slice(end);
}

Deno.test("docs/tags-begin-lines: moves a tag of a comment of one line", () => {
  assertEquals(
    fixed(`interface A {\n  /** How long. @default 5, in ms */\n  a: number;\n}`),
    `interface A {\n  /**\n   * How long.\n   *\n   * @default 5, in ms\n   */\n  a: number;\n}`,
  );
});

Deno.test("docs/tags-begin-lines: moves the tags of a longer comment, and keeps its other lines", () => {
  assertEquals(
    fixed(
      "/**\n * Reads it. @param a what\n * to read @returns the text\n *\n * @throws {Error} never\n */",
    ),
    "/**\n * Reads it.\n *\n * @param a what\n * to read\n *\n * @returns the text\n *\n * @throws {Error} never\n */",
  );
});

Deno.test("docs/tags-begin-lines: keeps two tags of a line together", () => {
  assertEquals(
    fixed("/** @param a one @param b two */"),
    "/**\n * @param a one\n * @param b two\n */",
  );
});

Deno.test("docs/tags-begin-lines: makes the default of a parameter part of its description", () => {
  assertEquals(fixed("/** @param a @default 5 */"), "/**\n * @param a default: 5\n */");
  assertEquals(
    fixed("/**\n * Text.\n *\n * @param a how long. @default 5\n */"),
    "/**\n * Text.\n *\n * @param a how long; default: 5\n */",
  );
});

Deno.test("docs/tags-begin-lines: accepts tags that begin lines, code, links and other comments", () => {
  const sources = [
    "/** Text alone. */",
    "/**\n * Text.\n *\n * @default 5\n */",
    "/** @module */",
    "/** A name such as `a @param b` in code. */",
    "/** See {@link A} and {@linkcode B}. */",
    "/**\n * ```ts\n * f(); // never @throws\n * ```\n */",
    "/** Mail to ada@default.example. */",
    "/* no doc comment @default 5 */",
    "// no doc comment @default 5",
    "const a = '/** @param a @param b */';",
  ];
  for (const source of sources) assertEquals(fixed(source), undefined, source);
});
