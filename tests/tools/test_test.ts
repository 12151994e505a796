import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

interface Run {
  readonly code: number;
  readonly lastLine: string | undefined;
}

/** Runs the test tool on one test file with this source. */
async function runOn(source: string): Promise<Run> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/some_test.ts`, source);
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

Deno.test("test tool: closes with the counts, and fails when it must", async () => {
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

Deno.test("test tool: where CI is strict, a part that lacks is a failure", async () => {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--permission-set=tools", "tools/test.ts", "tests/tools/junit_test.ts"],
    cwd: fromFileUrl(ROOT),
    env: { CI: "true", PATH: "/nonexistent" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 1);
  assert(text.includes("missing etcd: no etcd here; install the package etcd-server"), text);
  assert(text.trimEnd().endsWith("3 passed, 1 failed"), text);
});
