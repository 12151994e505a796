import { assertEquals } from "@std/assert";
import { count, summary } from "../../tools/junit.ts";
import { fromFileUrl } from "../../tools/paths.ts";

async function reportOf(source: string): Promise<string> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/some_test.ts`, source);
    await new Deno.Command(Deno.execPath(), {
      args: ["test", "--no-config", "--no-check", `--junit-path=${folder}/report.xml`, folder],
      cwd: fromFileUrl(new URL("../../", import.meta.url)),
    }).output();
    return await Deno.readTextFile(`${folder}/report.xml`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("junit: counts what a real run reports, whatever stands in its texts", async () => {
  const report = await reportOf(`
    Deno.test("good <failure>", () => {});
    Deno.test("good again", () => {});
    Deno.test("bad", () => { throw new Error("<skipped/><testcase>"); });
    Deno.test({ name: "not now", ignore: true, fn() {} });
    Deno.test("in steps", async (t) => { await t.step("one", () => {}); });
  `);
  assertEquals(count(report), { passed: 4, failed: 1, skipped: 1 });
});

Deno.test("count: a report without tests has counts of 0", () => {
  assertEquals(count(""), { passed: 0, failed: 0, skipped: 0 });
});

Deno.test("junit: the closing line names skipped tests only when there are some", () => {
  assertEquals(summary({ passed: 3, failed: 0, skipped: 0 }), "3 passed, 0 failed");
  assertEquals(summary({ passed: 3, failed: 1, skipped: 2 }), "3 passed, 1 failed, 2 skipped");
});
