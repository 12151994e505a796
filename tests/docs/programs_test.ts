import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, ROOT, TEST_LOCK } from "../../tools/paths.ts";
import { freePort } from "../support/ports.ts";
import { type Block, blocks, PAGES, promised } from "./pages.ts";
import { Reader } from "./reader.ts";

const BLOCKS = PAGES.flatMap(blocks);
const PROGRAMS = BLOCKS.filter(({ kind }) => kind === "ts");
const COMMANDS = BLOCKS.filter(({ kind }) => kind === "sh");

Deno.test("docs: every command runs unchanged", async (t) => {
  assert(COMMANDS.length >= 8);
  for (const { path, text, line } of COMMANDS) {
    await t.step(`${path}:${line}`, async () => {
      await using reader = await Reader.make();
      // An earlier block of the page has started it.
      if (needsKontrol(text)) await reader.type("deno run -A kontrol/main.ts # keeps running");
      for (const command of text.split("\n")) await reader.type(command);
    });
  }
});

Deno.test("docs: every program runs unchanged, and prints what its comments say", async (t) => {
  assert(PROGRAMS.length >= 10);
  await using reader = await Reader.make({ folder: fromFileUrl(ROOT) });
  await reader.type("deno run -A kontrol/main.ts # keeps running");
  // In this folder, since deno.json maps the packages that only tests import for `tests` alone.
  const folder = await Deno.makeTempDir({ dir: import.meta.dirname!, prefix: ".programs-" });
  try {
    const files = await Promise.all(PROGRAMS.map((block) => write(folder, block, reader)));
    const check = await reader.run(Deno.execPath(), ["check", TEST_LOCK, ...files]);
    assertEquals(check.code, 0, check.stderr);
    for (const [i, { path, text, line }] of PROGRAMS.entries()) {
      await t.step(`${path}:${line}`, async () => {
        const { code, stdout, stderr } = await reader.run(
          Deno.execPath(),
          ["run", "-A", TEST_LOCK, files[i]!],
        );
        assertEquals(code, 0, stderr);
        assertEquals(stdout.split("\n").filter((line) => line !== ""), promised(text));
      });
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** A Kontrol of the program's own has its port to itself. */
async function write(
  folder: string,
  { path, text, line }: Block,
  reader: Reader,
): Promise<string> {
  const file = `${folder}/${path.replaceAll("/", "_")}_${line}.ts`;
  const own = text.includes("createKontrol(") ? text.replaceAll("4000", String(freePort())) : text;
  await Deno.writeTextFile(file, `${reader.local(own)}\n`);
  return file;
}

function needsKontrol(text: string): boolean {
  return /exp2_query|math_register/.test(text) && !text.includes("kontrol/main.ts");
}
