import { assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, ROOT, TEST_LOCK } from "../../tools/paths.ts";

async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", TEST_LOCK, ...args],
    cwd: fromFileUrl(ROOT),
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

const PROGRAMS: Readonly<Record<string, string>> = {
  bench: "tests/bench/main.ts",
  soak: "tests/soak/main.ts",
  compile: "tools/compile.ts",
  npm: "tools/npm.ts",
  ok: "tools/ok.ts",
  test: "tools/test.ts",
};

for (const [name, program] of Object.entries(PROGRAMS)) {
  Deno.test(`runProgram: ${name} refuses an unknown flag without a stack, and prints its usage`, async () => {
    const { code, stderr } = await run(program, "--nonsense");
    assertEquals(code, 2);
    const lines = new RegExp(`^There is no flag --nonsense(; .*)?\n\nUsage: deno task ${name}`);
    assertMatch(stderr, lines);
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

Deno.test("runProgram: a wrong word is refused with the nearest right one", async () => {
  const wrong: [args: string[], line: string][] = [
    [["tests/bench/main.ts", "--round=1"], "There is no flag --round; did you mean --rounds?"],
    [["tests/bench/main.ts", "prox"], "There is no bench prox; did you mean proxy?"],
    [
      ["tests/bench/main.ts", "proxy", "--second=1"],
      "There is no flag --second; did you mean --seconds?",
    ],
    [["tools/compile.ts", "-targets=x"], "There is no flag -targets; did you mean -target?"],
    [["tools/compile.ts", "control"], "There is no program control; did you mean kontrol?"],
    [["tools/test.ts", "--fail-fst"], "There is no flag --fail-fst; did you mean --fail-fast?"],
    [["tools/test.ts", "-z"], "There is no flag -z"],
  ];
  const answers = await Promise.all(wrong.map(([args]) => run(...args)));
  assertEquals(
    answers.map(({ code, stderr }) => [code, stderr.split("\n")[0]]),
    wrong.map(([, line]) => [2, line]),
  );
});

Deno.test("runProgram: a word where none belongs is refused", async () => {
  for (const program of ["tools/npm.ts", "tools/ok.ts"]) {
    const { code, stderr } = await run(program, "word");
    assertEquals(code, 2, stderr);
  }
});
