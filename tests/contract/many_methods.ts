/**
 * A module that imports the package, without a contract.
 *
 * @param entry the specifier of the package
 */
export function emptyModule(entry: string): string {
  return `import { callback, contract, Kite, method, type } from "${entry}";
import type { Client } from "${entry}";
import { z } from "zod";
void [contract, method, type, callback, Kite, z];
export type Remote = Client;
`;
}

/**
 * A module with a contract of many methods of five kinds, its implementation and a typed call of each.
 *
 * @param entry the specifier of the package
 * @param count the number of methods
 */
export function moduleWithMethods(entry: string, count: number): string {
  let methods = "";
  let functions = "";
  let calls = "";
  for (let i = 0; i < count; i++) {
    const [declared, implementation, call] = [
      [
        `method({ args: [z.number(), z.string().optional()], result: z.number() })`,
        `(n, text = "") => n + text.length`,
        `(await api.m${i}(1)) satisfies number`,
      ],
      [
        `method({ args: [z.object({ id: z.string(), n: z.number() })], items: z.string() })`,
        `async function* ({ id }) { yield id; }`,
        `for await (const item of api.m${i}({ id: "", n: 1 })) item.length`,
      ],
      [
        `method({ args: [type<{ a: string }>(), callback<[number]>()], result: type<string>() })`,
        `({ a }, tell) => (tell(1), a)`,
        `(await api.m${i}({ a: "" }, (n) => n.toFixed())) satisfies string`,
      ],
      [
        `method<[a: number, b: string], boolean>()`,
        `(a, b) => b.length === a`,
        `(await api.m${i}(1, "")) satisfies boolean`,
      ],
      [
        `method({ args: [], idempotent: true })`,
        `(request) => request.username`,
        `await api.m${i}({ timeout: 1 })`,
      ],
    ][i % 5]!;
    methods += `  m${i}: ${declared},\n`;
    functions += `  m${i}: ${implementation},\n`;
    calls += `  ${call};\n`;
  }
  return emptyModule(entry) + `const many = contract({\n${methods}});\n` +
    `new Kite("many", "1.0.0").implement(many, {\n${functions}});\n` +
    `export async function run(remote: Client): Promise<void> {\n  const api = remote.as(many);\n${calls}}\n`;
}
