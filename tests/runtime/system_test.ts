import { assert, assertEquals } from "@std/assert";
import { operatingSystem } from "../../src/runtime/env.ts";
import { systemInfo } from "../../src/runtime/system.ts";
import { lacks, runDeno, runNode } from "./support.ts";

const SYSTEM = new URL("../../src/runtime/system.ts", import.meta.url).href;

Deno.test("the machine is described", async () => {
  const info = await systemInfo();
  assertEquals(info.state, "RUNNING");
  assertEquals(info.uname, operatingSystem());
  assertEquals(info.uname, Deno.build.os);
  assertEquals(info.homeDir, Deno.env.get("HOME") ?? Deno.env.get("USERPROFILE"));
  assertEquals(info.totalMemoryLimit, Deno.systemMemoryInfo().total);
  assert(info.memoryUsage > 0 && info.memoryUsage < info.totalMemoryLimit);
  assert(info.diskUsage > 0 && info.diskUsage <= info.diskTotal);
  for (const value of Object.values(info)) {
    assert(typeof value === "string" || Number.isSafeInteger(value));
  }
});

Deno.test({
  name: "the disk is measured in KiB, as df -k does",
  ignore: Deno.build.os === "windows",
  async fn() {
    const { stdout } = await new Deno.Command("df", { args: ["-Pk", "/"] }).output();
    const [, line = ""] = new TextDecoder().decode(stdout).split("\n");
    assertEquals((await systemInfo()).diskTotal, Number(line.split(/\s+/)[1]));
  },
});

Deno.test("systemInfo: leaves out what the permissions do not allow", async () => {
  const code = `import { systemInfo } from "${SYSTEM}";
    console.log(JSON.stringify(await systemInfo()));`;
  const { stdout } = await runDeno([], code);
  assertEquals(JSON.parse(stdout), {
    state: "RUNNING",
    diskUsage: 0,
    diskTotal: 0,
    memoryUsage: 0,
    totalMemoryLimit: 0,
    homeDir: "",
    uname: Deno.build.os,
  });
});

Deno.test("Node describes the same machine", { ignore: lacks("node") }, async () => {
  const { stdout, stderr } = await runNode(
    [SYSTEM],
    `console.log(JSON.stringify(await modules[0].systemInfo()));`,
  );
  assertEquals(stderr, "");
  const info = JSON.parse(stdout);
  const own = await systemInfo();
  assertEquals([info.uname, info.diskTotal], [own.uname, own.diskTotal]);
  assertEquals(info.totalMemoryLimit, own.totalMemoryLimit);
  assert(info.memoryUsage > 0);
});
