import { FUNCTION_KEYWORD } from "../rpc/contract_types.ts";
import type { JsonSchema, MethodDescription } from "./describe.ts";

/** Maximum depth of a schema. Deeper levels become `unknown`, as references do. */
const MOST_LEVELS = 32;
/** Maximum number of members of one schema. */
const MOST_MEMBERS = 1_000;

/**
 * Creates the TypeScript source of a contract from a kite's description of its methods. The
 * description comes from a remote, so its names and values are quoted and never become code.
 *
 * @param name the name of the constant that holds the contract
 */
export function contractSource(name: string, methods: readonly MethodDescription[]): string {
  const lines = methods.map((description) =>
    `  ${propertyName(description.name)}: ${methodSource(description)},\n`
  );
  // Many projects do not allow unused imports.
  const helpers = ["callback", "method", "type"].filter((helper) =>
    lines.some((line) => new RegExp(`\\b${helper}[<(]`).test(line))
  );
  const imports = ["contract", ...helpers].sort().join(", ");
  return `import { ${imports} } from "@kite/kite";\n\n` +
    `export const ${name} = contract({\n${lines.join("")}});\n`;
}

/** Creates the TypeScript type of a JSON Schema; `unknown` if it cannot be expressed. */
export function typeSource(schema: unknown, level = 0): string {
  if (typeof schema !== "object" || schema === null || Array.isArray(schema)) {
    return schema === false ? "never" : "unknown";
  }
  if (level > MOST_LEVELS) return "unknown";
  const known = schema as JsonSchema;
  const nested = (inner: unknown): string => typeSource(inner, level + 1);
  if (known[FUNCTION_KEYWORD] === true) return "(...args: unknown[]) => unknown";
  if ("const" in known) return literal(known.const);
  if (Array.isArray(known.enum)) return union(known.enum.slice(0, MOST_MEMBERS).map(literal));
  for (const key of ["anyOf", "oneOf"] as const) {
    const choices = known[key];
    if (Array.isArray(choices)) return union(choices.slice(0, MOST_MEMBERS).map(nested));
  }
  if (Array.isArray(known.allOf)) {
    return known.allOf.slice(0, MOST_MEMBERS).map((each) => `(${nested(each)})`).join(" & ");
  }
  if (Array.isArray(known.type)) {
    return union(known.type.slice(0, 8).map((type) => nested({ ...known, type })));
  }
  switch (known.type) {
    case "string":
    case "boolean":
    case "null":
      return known.type;
    case "number":
    case "integer":
      return "number";
    case "array":
      return arrayType(known, nested);
    case "object":
      return objectType(known, nested);
    default:
      return "unknown";
  }
}

function methodSource({ args, result, items, idempotent }: MethodDescription): string {
  if (!Array.isArray(args)) return "method<unknown[], unknown>()";
  const members = [`args: [${args.map(schemaSource).join(", ")}]`];
  if (items !== undefined) members.push(`items: ${schemaSource(items)}`);
  else members.push(`result: ${schemaSource(result)}`);
  if (idempotent === true) members.push("idempotent: true");
  return `method({ ${members.join(", ")} })`;
}

function schemaSource(schema: unknown): string {
  const isFunction = typeof schema === "object" && schema !== null &&
    (schema as JsonSchema)[FUNCTION_KEYWORD] === true;
  return isFunction ? "callback<unknown[]>()" : `type<${typeSource(schema)}>()`;
}

function arrayType(schema: JsonSchema, nested: (inner: unknown) => string): string {
  const { prefixItems, items } = schema;
  if (!Array.isArray(prefixItems)) return `readonly (${nested(items)})[]`;
  const fixed = prefixItems.slice(0, MOST_MEMBERS).map(nested);
  if (items !== false && items !== undefined) fixed.push(`...(${nested(items)})[]`);
  return `readonly [${fixed.join(", ")}]`;
}

function objectType(schema: JsonSchema, nested: (inner: unknown) => string): string {
  const { properties, required, additionalProperties } = schema;
  const names = typeof properties === "object" && properties !== null && !Array.isArray(properties)
    ? Object.entries(properties).slice(0, MOST_MEMBERS)
    : [];
  const isRequired = new Set(Array.isArray(required) ? required : []);
  const members = names.map(([name, inner]) =>
    `readonly ${propertyName(name)}${isRequired.has(name) ? "" : "?"}: ${nested(inner)}`
  );
  if (typeof additionalProperties === "object" && additionalProperties !== null) {
    if (members.length === 0) return `Readonly<Record<string, ${nested(additionalProperties)}>>`;
    members.push("readonly [name: string]: unknown");
  }
  return members.length === 0 ? "Readonly<Record<string, unknown>>" : `{ ${members.join("; ")} }`;
}

function union(types: readonly string[]): string {
  const different = [...new Set(types)];
  return different.length === 0 ? "never" : different.join(" | ");
}

function literal(value: unknown): string {
  const isPlain = value === null || ["string", "number", "boolean"].includes(typeof value);
  return isPlain ? quoted(value) : "unknown";
}

function propertyName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quoted(name);
}

/** Returns a value as a literal in ASCII. `JSON.stringify` leaves other characters as they are. */
function quoted(value: unknown): string {
  return JSON.stringify(value).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
