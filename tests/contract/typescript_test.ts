import { assertEquals, assertStringIncludes } from "@std/assert";
import { z } from "zod";
import { callback, contract, method } from "../../src/contract/contract.ts";
import { describeMethod, type MethodDescription } from "../../src/contract/describe.ts";
import { contractSource, typeSource } from "../../src/contract/typescript.ts";

function typeOf(schema: z.ZodType): string {
  return typeSource(z.toJSONSchema(schema));
}

Deno.test("typeSource() writes the types that zod schemas describe", () => {
  assertEquals(typeOf(z.number()), "number");
  assertEquals(typeOf(z.int()), "number");
  assertEquals(typeOf(z.string().nullable()), "string | null");
  assertEquals(typeOf(z.array(z.boolean())), "readonly (boolean)[]");
  assertEquals(typeOf(z.tuple([z.string(), z.number()])), "readonly [string, number]");
  assertEquals(typeOf(z.enum(["a", "b"])), '"a" | "b"');
  assertEquals(typeOf(z.literal(7)), "7");
  assertEquals(
    typeOf(z.object({ a: z.string(), "b-c": z.number().optional() })),
    '{ readonly a: string; readonly "b-c"?: number }',
  );
  assertEquals(typeOf(z.record(z.string(), z.number())), "Readonly<Record<string, number>>");
});

Deno.test("typeSource() writes unknown for schemas that it cannot express", () => {
  for (const schema of [undefined, null, 7, {}, { $ref: "#" }, { type: "odd" }, []]) {
    assertEquals(typeSource(schema), "unknown");
  }
});

Deno.test("typeSource() ends for a schema with endless nesting", () => {
  let schema: unknown = { type: "string" };
  for (let i = 0; i < 10_000; i++) schema = { type: "array", items: schema };
  assertStringIncludes(typeSource(schema), "unknown");
});

Deno.test("contractSource() writes the contract of described methods", () => {
  const math = contract({
    square: method({ args: [z.number()], result: z.number() }),
    tail: method({ args: [z.string()], items: z.string() }),
    watch: method({ args: [callback<[number]>()], idempotent: true }),
    plain: method<[a: number], number>(),
  });
  const described = Object.entries(math).map(([name, { schemas }]) =>
    describeMethod(name, true, schemas)
  );
  assertEquals(
    contractSource("math", described),
    `import { callback, contract, method, type } from "@kite/kite";

export const math = contract({
  square: method({ args: [type<number>()], result: type<number>() }),
  tail: method({ args: [type<string>()], items: type<string>() }),
  watch: method({ args: [callback<unknown[]>()], result: type<unknown>(), idempotent: true }),
  plain: method<unknown[], unknown>(),
});
`,
  );
});

Deno.test("contractSource() does not turn text of a remote into code", () => {
  const hostile = '"](); Deno.exit(7); ("\u2028*/`${1}\\';
  const description: MethodDescription = {
    name: hostile,
    authentication: true,
    args: [{ const: hostile }, { type: "object", properties: { [hostile]: { enum: [hostile] } } }],
    result: { type: hostile },
  };
  const source = contractSource("c", [description]);
  const quoted = JSON.stringify(hostile).replace("\u2028", "\\u2028");
  assertEquals(source.replaceAll(quoted, "").includes("Deno.exit"), false);
});
