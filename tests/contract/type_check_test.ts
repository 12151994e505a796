import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, ROOT, TEST_LOCK } from "../../tools/paths.ts";
import { emptyModule, moduleWithMethods } from "./many_methods.ts";

const ENTRY = new URL("mod.ts", ROOT).href;
const METHODS = 1_000;
/** The most that the contract may take, as a multiple of the check of the library alone. */
const BOUND = 8;

/**
 * Checks a program.
 *
 * @returns the seconds it took
 */
async function check(folder: string, text: string): Promise<number> {
  const file = `${folder}/${crypto.randomUUID()}.ts`;
  // A text that was checked before is not checked again.
  await Deno.writeTextFile(file, `// ${file}\n${text}`);
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
    const empty = await check(folder, emptyModule(ENTRY));
    const more = await check(folder, moduleWithMethods(ENTRY, METHODS)) - empty;
    assert(more < BOUND * empty, `it took ${more} s, and ${empty} s without the contract`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
