import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

interface Run {
  readonly code: number;
  readonly lastLine: string | undefined;
}

/** Runs the test tool on test files with these sources. */
async function runOn(...sources: string[]): Promise<Run> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [i, source] of sources.entries()) {
      await Deno.writeTextFile(`${folder}/some_${i}_test.ts`, source);
    }
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--permission-set=tools", "tools/test.ts", "--no-check", folder],
      cwd: fromFileUrl(ROOT),
      env: { CI: "false" },
    }).output();
    return { code, lastLine: new TextDecoder().decode(stdout).trimEnd().split("\n").at(-1) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("test tool: prints the counts last, and fails if a test or a file fails", async () => {
  const runs: [source: string, code: number, lastLine: string][] = [
    [`Deno.test("a", () => {});`, 0, "1 passed, 0 failed"],
    [
      `Deno.test("a", () => {}); Deno.test.ignore("b", () => {});`,
      0,
      "1 passed, 0 failed, 1 skipped",
    ],
    [`Deno.test("a", () => { throw new Error(); });`, 1, "0 passed, 1 failed"],
    [`Deno.test("a", () => { setTimeout(() => {}, 9e8); });`, 1, "0 passed, 1 failed"],
    [`Deno.test.ignore("a", () => {});`, 1, "0 passed, 0 failed, 1 skipped"],
    [`throw new Error("not even loaded");`, 1, "0 passed, 1 failed"],
    [`this is no program`, 1, "0 passed, 1 failed"],
  ];
  const results = await Promise.all(runs.map(([source]) => runOn(source)));
  assertEquals(
    results,
    runs.map(([, code, lastLine]) => ({ code, lastLine })),
  );
});

Deno.test("test tool: adds up the tests that run in parallel and the others", async () => {
  const { code, lastLine } = await runOn(
    `Deno.test("a", () => {});`,
    `Deno.test("b", () => {}); Deno.test.ignore("c", () => {});`,
    `// serial: it says so
     Deno.test("d", () => {});`,
  );
  assertEquals({ code, lastLine }, { code: 0, lastLine: "3 passed, 0 failed, 1 skipped" });
});

Deno.test("test tool: fails if one of its two passes fails", async () => {
  const good = `Deno.test("a", () => {});`;
  const bad = `// serial: it says so
    Deno.test("b", () => { throw new Error(); });`;
  const { code, lastLine } = await runOn(good, good, bad);
  assertEquals({ code, lastLine }, { code: 1, lastLine: "2 passed, 1 failed" });
});

Deno.test("test tool: prepares and reports no parts that the selected tests do not need", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--permission-set=tools", "tools/test.ts", "tests/tools/junit_test.ts"],
    cwd: fromFileUrl(ROOT),
    env: { CI: "true", PATH: "/nonexistent" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, text);
  assert(!text.includes("missing") && text.trimEnd().endsWith("3 passed, 0 failed"), text);
});

Deno.test("test tool: with CI=true, a missing part is a failure", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--permission-set=tools", "tools/test.ts", "tests/kontrol/storage/etcd_test.ts"],
    cwd: fromFileUrl(ROOT),
    env: { CI: "true", PATH: "/nonexistent" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 1);
  assert(
    text.includes("missing etcd: etcd is not installed; install the package etcd-server"),
    text,
  );
  assert(text.trimEnd().endsWith("0 passed, 1 failed"), text);
});
