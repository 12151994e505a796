import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, ROOT, TEST_LOCK } from "../../tools/paths.ts";

const METHODS = 1_000;
/** The most that the contract may take, as a multiple of the check of the library alone. */
const BOUND = 8;

const HEAD = `import { contract, method, type, callback, Kite } from "${new URL("mod.ts", ROOT)}";
import type { Client } from "${new URL("mod.ts", ROOT)}";
import { z } from "zod";
void [contract, method, type, callback, Kite, z];
export type Remote = Client;
`;

/** A contract of many methods of five kinds, with its implementation and a typed call of each. */
function program(count: number): string {
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
  return `const many = contract({\n${methods}});\n` +
    `new Kite("many", "1.0.0").implement(many, {\n${functions}});\n` +
    `export async function run(remote: Client): Promise<void> {\n  const api = remote.as(many);\n${calls}}\n`;
}

/**
 * Checks a program.
 *
 * @returns the seconds it took
 */
async function check(folder: string, text: string): Promise<number> {
  const file = `${folder}/${crypto.randomUUID()}.ts`;
  // A text that was checked before is not checked again.
  await Deno.writeTextFile(file, `// ${file}\n${HEAD}${text}`);
  const start = performance.now();
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--quiet", TEST_LOCK, file],
    cwd: fromFileUrl(ROOT),
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return (performance.now() - start) / 1_000;
}

Deno.test("contract(): the types of 1,000 methods are checked in little time", async () => {
  // In this folder, since deno.json maps zod for `tests` and `examples` alone.
  const folder = await Deno.makeTempDir({ dir: import.meta.dirname!, prefix: ".types-" });
  try {
    const empty = await check(folder, "");
    const more = await check(folder, program(METHODS)) - empty;
    assert(more < BOUND * empty, `it took ${more} s, and ${empty} s without the contract`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
