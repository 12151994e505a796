/**
 * The layers as a rule of `deno lint`, which reports each forbidden import at its line.
 *
 * @module
 */

import { moduleOf, refuseBuiltin, refuseImport } from "./layers.ts";
import { relativePath } from "./paths.ts";

const plugin: Deno.lint.Plugin = {
  name: "layers",
  rules: { imports: { create: checkImports } },
};

export default plugin;

function checkImports(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const from = relativePath(context.filename);
  if (moduleOf(from) === undefined) return {};

  function check(node: Deno.lint.Node, source: unknown): void {
    const specifier = (source as { value?: unknown } | null | undefined)?.value;
    if (typeof specifier !== "string") return;
    let reason = refuseBuiltin(from, specifier);
    if (specifier.startsWith(".")) {
      const to = new URL(specifier, new URL(from, "file:///")).pathname.slice(1);
      reason = refuseImport(from, to);
    }
    if (reason !== undefined) context.report({ node, message: reason });
  }

  return {
    ImportDeclaration: (node) => check(node, node.source),
    ExportNamedDeclaration: (node) => check(node, node.source),
    ExportAllDeclaration: (node) => check(node, node.source),
    ImportExpression: (node) => check(node, node.source),
    TSImportType: (node) => check(node, (node.argument as { literal?: unknown }).literal),
  };
}
