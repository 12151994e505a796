/**
 * The floors as rules of `deno lint`: imports that climb, and runtimes named outside src/runtime.
 *
 * @module
 */

import { mayNameRuntime, refuseBuiltin, refuseImport, roomOf, RUNTIME_GLOBALS } from "./floors.ts";
import { fromFileUrl, ROOT } from "./paths.ts";

/** The part of any syntax node that these rules read. */
interface Node {
  readonly type: string;
  readonly range: readonly [number, number];
  readonly parent?: Node | null;
  readonly [field: string]: unknown;
}

/** Where a name is declared: it covers every mention inside. */
interface Declaration {
  readonly name: string;
  readonly scope: readonly [number, number];
}

const SCOPES = /Function|^Program$|^BlockStatement$|^Class|^For|^CatchClause$|^TSModuleBlock$/;

const plugin: Deno.lint.Plugin = {
  name: "house",
  rules: {
    "floors": { create: floors },
    "runtime": { create: runtime },
  },
};

export default plugin;

function relative(filename: string): string {
  const root = fromFileUrl(ROOT);
  return (filename.startsWith(root) ? filename.slice(root.length) : filename)
    .replaceAll("\\", "/");
}

function floors(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  const from = relative(context.filename);
  if (roomOf(from) === undefined) return {};

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

function runtime(context: Deno.lint.RuleContext): Deno.lint.LintVisitor {
  if (mayNameRuntime(relative(context.filename))) return {};
  // By place: the name in `{ process }` is both a key and a value.
  const mentions = new Map<number, Deno.lint.Identifier>();
  const declarations: Declaration[] = [];

  function report(node: Deno.lint.Node, name: string): void {
    context.report({ node, message: `only src/runtime names the global ${name}` });
  }

  return {
    Identifier(node) {
      if (!RUNTIME_GLOBALS.has(node.name)) return;
      const scope = declaredIn(node as unknown as Node);
      if (scope) declarations.push({ name: node.name, scope });
      else if (isReference(node as unknown as Node)) mentions.set(node.range[0], node);
    },
    MemberExpression(node) {
      const { object, property, computed } = node;
      if (object.type !== "Identifier" || object.name !== "globalThis") return;
      const name = property.type === "Identifier" && !computed
        ? property.name
        : (property as { value?: unknown }).value;
      if (typeof name === "string" && RUNTIME_GLOBALS.has(name)) report(node, name);
    },
    "Program:exit"() {
      for (const node of mentions.values()) {
        const isLocal = declarations.some(({ name, scope: [start, end] }) =>
          name === node.name && start <= node.range[0] && node.range[1] <= end
        );
        if (!isLocal) report(node, node.name);
      }
    },
  };
}

function same(a: unknown, b: Node): boolean {
  const node = a as Node | null | undefined;
  return node?.type === b.type && node.range[0] === b.range[0] && node.range[1] === b.range[1];
}

/** The scope of what this identifier declares; undefined when it declares nothing. */
function declaredIn(identifier: Node): readonly [number, number] | undefined {
  let child = identifier;
  let node = identifier.parent;
  // Out of a destructuring pattern, but not out of a default value or a computed key.
  while (node && /Pattern$|^RestElement$|^Property$|^TSParameterProperty$/.test(node.type)) {
    if (node.type === "AssignmentPattern" && !same(node.left, child)) return undefined;
    if (node.type === "Property" && !same(node.value, child)) return undefined;
    child = node;
    node = node.parent;
  }
  if (!node) return undefined;

  const isParameter = Array.isArray(node.params) && node.params.some((one) => same(one, child));
  const isName = same(node.id, child) && /Declarat|Expression$/.test(node.type);
  const isImport = /^Import.*Specifier$/.test(node.type) && same(node.local, child);
  const isCaught = node.type === "CatchClause" && same(node.param, child);
  if (isParameter || isCaught) return node.range;
  if (!isName && !isImport) return undefined;
  // A function's or class's own name counts where the declaration stands.
  let scope = node.parent;
  while (scope && !SCOPES.test(scope.type)) scope = scope.parent;
  return scope?.range;
}

/** Whether an identifier stands for a value or a type, rather than naming a member. */
function isReference(identifier: Node): boolean {
  const node = identifier.parent;
  if (!node) return false;
  switch (node.type) {
    case "MemberExpression":
      return same(node.object, identifier) || node.computed === true;
    case "TSQualifiedName":
      return same(node.left, identifier);
    case "Property":
      return same(node.value, identifier) || node.computed === true;
    case "MethodDefinition":
    case "PropertyDefinition":
    case "AccessorProperty":
    case "TSPropertySignature":
    case "TSMethodSignature":
    case "TSEnumMember":
      return !same(node.key ?? node.id, identifier) || node.computed === true;
    case "ImportSpecifier":
    case "ExportSpecifier":
      return node.type === "ExportSpecifier" && same(node.local, identifier);
    case "LabeledStatement":
    case "BreakStatement":
    case "ContinueStatement":
      return false;
    default:
      return true;
  }
}
