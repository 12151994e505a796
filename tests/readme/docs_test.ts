import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

/**
 * The examples in the code's documentation, checked and run by `deno test --doc`. That puts an import
 * of every type of the module above each example, so it has to do with a configuration in which a name
 * may be left unused; the rest is deno.json's.
 */
Deno.test("docs: every example in the code is checked, and runs", async () => {
  const config = await Deno.readTextFile(new URL("deno.json", ROOT));
  const { compilerOptions, imports, name, exports, nodeModulesDir } = JSON.parse(config);
  const own = Object.entries(exports as Record<string, string>)
    .map(([path, file]) => [name + path.slice(1), new URL(file, ROOT).href]);
  const path = `${fromFileUrl(ROOT)}.cache/docs-${crypto.randomUUID()}.json`;
  await Deno.mkdir(new URL(".cache/", ROOT), { recursive: true });
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      compilerOptions: { ...compilerOptions, noUnusedLocals: false },
      imports: { ...imports, ...Object.fromEntries(own) },
      nodeModulesDir,
      lock: false,
    }),
  );
  try {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["test", "--doc", "--config", path, ...PERMISSIONS, "mod.ts", "src", "kontrol"],
      cwd: fromFileUrl(ROOT),
      env: { NO_COLOR: "1", KITE_HOME: "/nowhere" },
      stdin: "null",
      signal: AbortSignal.timeout(120_000),
    });
    const { code, stdout, stderr } = await command.output();
    const decoder = new TextDecoder();
    const text = decoder.decode(stdout);
    assertEquals(code, 0, text + decoder.decode(stderr));
    assertMatch(text, /ok \| \d\d+ passed \| 0 failed/);
  } finally {
    await Deno.remove(path);
  }
});

const PERMISSIONS = ["--allow-net=127.0.0.1", "--allow-env", "--allow-read", "--no-prompt"];
