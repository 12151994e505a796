import { assertEquals, assertMatch } from "@std/assert";
import { runChecks } from "../../tools/ok.ts";

function evaluate(name: string, program: string): { name: string; args: string[] } {
  return { name, args: ["eval", "--no-config", program] };
}

Deno.test("runChecks: prints the findings of checks that fail, and of those that only warn", async () => {
  const said: string[] = [];
  const failed = await runChecks([
    evaluate("good", `console.log("what I did")`),
    evaluate(
      "bad",
      `console.log("a finding"); console.error("Warning Failed resolving types x");
      Deno.exit(1)`,
    ),
    { ...evaluate("warning", `console.log("a warning")`), warns: true },
    { ...evaluate("silent", ""), warns: true },
  ], (findings) => said.push(findings));

  assertEquals(failed, ["bad"]);
  assertEquals(said.sort(), ["bad:\na finding\n", "warning:\na warning\n"]);
});

Deno.test("runChecks: runs all checks, though one fails", async () => {
  const said: string[] = [];
  const failed = await runChecks([
    evaluate("first", `throw new Error("one")`),
    evaluate("second", `throw new Error("two")`),
  ], (findings) => said.push(findings));

  assertEquals(failed, ["first", "second"]);
  assertMatch(said.sort().join(""), /one[^]*two/);
});
