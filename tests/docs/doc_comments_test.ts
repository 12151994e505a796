import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

/**
 * Runs the examples in doc comments with `deno test --doc`. That command imports every type of the
 * module above each example, so the configuration must allow unused names; the rest is deno.json's.
 */
Deno.test("doc comments: every example passes the type check, and runs", async () => {
  const config = await Deno.readTextFile(new URL("deno.json", ROOT));
  const { compilerOptions, imports, scopes, name, exports, nodeModulesDir } = JSON.parse(config);
  const own = Object.entries(exports as Record<string, string>)
    .map(([path, file]) => [name + path.slice(1), new URL(file, ROOT).href]);
  const path = `${fromFileUrl(ROOT)}.cache/docs-${crypto.randomUUID()}.json`;
  await Deno.mkdir(new URL(".cache/", ROOT), { recursive: true });
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      compilerOptions: { ...compilerOptions, noUnusedLocals: false },
      imports: { ...imports, ...scopes["./tests/"], ...Object.fromEntries(own) },
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
