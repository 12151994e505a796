import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", ...args],
    cwd: fromFileUrl(ROOT),
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

for (const name of ["bench", "soak"]) {
  const program = `tests/${name}/main.ts`;

  Deno.test(`runProgram: ${name} refuses an unknown flag without a stack, and prints its usage`, async () => {
    const { code, stderr } = await run(program, "--nonsense");
    assertEquals(code, 2);
    assertMatch(stderr, new RegExp(`^Unknown option '--nonsense'.*\n\nUsage: deno task ${name}`));
    assertEquals(stderr.includes("    at "), false);
  });

  Deno.test(`runProgram: ${name} --help prints its usage and exits with 0`, async () => {
    const { code, stdout, stderr } = await run(program, "--help");
    assertEquals({ code, stderr }, { code: 0, stderr: "" });
    assertMatch(stdout, new RegExp(`^Usage: deno task ${name}`));
  });
}

Deno.test("runProgram: a flag's wrong value is refused in one line", async () => {
  const bench = await run("tests/bench/main.ts", "--rounds=x");
  assertEquals(bench.code, 2);
  assertMatch(bench.stderr, /^Cannot use --rounds "x": must be an integer of at least 1\n/);
  const soak = await run("tests/soak/main.ts", "--minutes=x");
  assertEquals(soak.code, 2);
  assertMatch(soak.stderr, /^Cannot use -minutes "x": must be a number above 0\n/);
});
