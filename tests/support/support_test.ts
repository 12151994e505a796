import { assert, assertEquals, assertRejects } from "@std/assert";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { TestProcess } from "./process.ts";

function deno(code: string): { program: string; args: string[] } {
  return { program: Deno.execPath(), args: ["eval", code] };
}

async function isRunning(pid: number): Promise<boolean> {
  const { success } = await new Deno.Command("kill", { args: ["-0", String(pid)] }).output();
  return success;
}

Deno.test("TestProcess: reads lines, writes lines, and stops the process at the end of its scope", async () => {
  const heard: string[] = [];
  let pid = 0;
  {
    await using process = await TestProcess.start({
      ...deno(`
        console.log("ready");
        for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
          console.log("got " + text.trim());
        }
      `),
      ready: (line) => line === "ready",
    });
    pid = process.pid;
    process.onLine((line, source) => heard.push(`${source} ${line}`));
    await process.write("hello");
    await eventually(() => heard.includes("stdout got hello"));
    assert(await isRunning(pid));
  }
  assertEquals(await isRunning(pid), false);
  assertEquals(heard[0], "stdout ready");
});

Deno.test("TestProcess.stop: kills a process that does not end", async () => {
  const process = await TestProcess.start({
    ...deno(`
      Deno.addSignalListener("SIGTERM", () => {});
      console.log("ready");
      setInterval(() => {}, 1000);
    `),
    ready: (line) => line === "ready",
  });
  await process.stop();
  assertEquals(await isRunning(process.pid), false);
});

Deno.test("support: a start that fails tells what the process said", async () => {
  const early = { ...deno(`console.error("no luck"); Deno.exit(3);`), ready: () => false };
  await assertRejects(() => TestProcess.start(early), Error, "no luck");
  const silent = { ...deno(`setInterval(() => {}, 1000);`), ready: () => false, startMs: 200 };
  await assertRejects(() => TestProcess.start(silent), Error, "not ready within 200 ms");
});

Deno.test("support: eventually waits for a value, and gives up with the last reason", async () => {
  let asked = 0;
  assertEquals(await eventually(() => ++asked > 3 && asked), 4);
  await assertRejects(
    () => eventually(() => false, { withinMs: 30, what: "the moon" }),
    Error,
    "the moon did not come within 30 ms",
  );
  await assertRejects(
    () =>
      eventually(() => {
        throw new Error("still dark");
      }, { withinMs: 30 }),
    Error,
    "still dark",
  );
});

Deno.test("support: a free port can be listened on", () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: freePort() });
  assert(listener.addr.port > 0);
});
