import { assert, assertEquals, assertMatch } from "@std/assert";
import { z } from "zod";
import { startTestKontrol } from "../../src/testing/kontrol.ts";
import { CACHE, fromFileUrl } from "../../tools/paths.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "./support.ts";

Deno.test("kitectl query: each of the seven fields selects, as a table and as JSON", async () => {
  await using kontrol = await startTestKontrol();
  await using machine = await Machine.make();
  await machine.writeKey(await kontrol.kiteKey("ada"));
  const one = await kontrol.newKite("one", "1.2.0", { username: "ada", region: "europe" });
  const two = await kontrol.newKite("two", "2.0.0", { username: "bob", environment: "live" });
  for (const kite of [one, two]) await kite.register((await kite.listen()).url);
  const names = async (...words: string[]): Promise<string[]> => {
    const { stdout, stderr } = await machine.run(["query", "--json", ...words]);
    const lines = stdout.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
    assert(!stdout.includes("token"), "tokens are secret");
    assertEquals(lines.length > 0, stderr === "", stderr);
    return lines.map(({ kite }) => kite.name);
  };
  const fields: [string, string, string][] = [
    ["--username", "bob", "two"],
    ["--environment", "live", "two"],
    ["--name", "one", "one"],
    ["--version", "~> 1.1", "one"],
    ["--region", "europe", "one"],
    ["--id", two.id, "two"],
  ];
  for (const [option, value, name] of fields) assertEquals(await names(option, value), [name]);
  const host = one.identity.hostname;
  assertEquals(await names("--hostname", host, "--environment", "live"), ["two"]);
  assertEquals(await names(), ["one"], "one's own, without any field");
  const { code, stdout } = await machine.run(["query", "--name", "two", "--username", "bob"]);
  const [head, row, ...rest] = stdout.split("\n");
  assertEquals([code, rest], [0, [""]]);
  assertMatch(head!, /^username +environment +name +version +region +hostname +id +url$/);
  assertMatch(row!, new RegExp(`^bob +live +two +2\\.0\\.0 +unknown +.* ${two.id} +http://`));
  assertEquals(head!.indexOf("url"), row!.indexOf("http://"), "columns are aligned");
  const none = await machine.run(["query", "--name", "three", "--region", "asia"]);
  assertEquals([none.code, none.stdout], [3, ""]);
  assertEquals(none.stderr, "error: No kite matches name three, region asia\n");
});

Deno.test("kitectl query --watch: prints what is there, comes and goes, until Ctrl-C", async () => {
  await using kontrol = await startTestKontrol({
    liveness: { disconnectGrace: 50 },
  });
  await using machine = await Machine.make();
  await machine.writeKey(await kontrol.kiteKey("ada"));
  const first = await kontrol.newKite("math", "1.0.0");
  await first.register((await first.listen()).url);
  await using process = await machine.start(
    ["query", "--name", "math", "--watch"],
    new RegExp(`^\\+ /testuser/test/math/1\\.0\\.0/.*/${first.id} http://`),
  );
  const lines: string[] = [];
  process.onLine((line) => lines.push(line));
  const second = await kontrol.newKite("math", "1.0.0");
  await second.register((await second.listen()).url);
  await eventually(() => lines.find((line) => line.startsWith("+") && line.includes(second.id)));
  await first.close();
  await eventually(() => lines.find((line) => line.startsWith("-") && line.includes(first.id)));
  Deno.kill(process.pid, "SIGINT");
  assertEquals(await process.exitCode(), 0);

  const none = await machine.run(["query", "--watch", "--name", "math"], {
    env: { KITE_KONTROL_URL: "http://127.0.0.1:1/kite", KITE_TIMEOUT: "1s" },
  });
  assertEquals(none.code, 5, "a Kontrol that cannot be reached is an error");
});

Deno.test("kitectl describe: lists methods, and writes a contract that type-checks", async () => {
  await using kontrol = await startTestKontrol();
  await using machine = await Machine.make();
  await machine.writeKey(await kontrol.kiteKey("ada"));
  const kite = await kontrol.newKite("my-math", "1.0.0");
  kite.handle("open", () => 1).disableAuthentication();
  kite.handle("closed", () => 1);
  await kite.register((await kite.listen()).url);
  const table = await machine.run(["describe", "--name", "my-math"]);
  assertMatch(table.stdout, /^method +authentication$/m);
  assertMatch(table.stdout, /^open\(…\) +no$/m);
  assertMatch(table.stdout, /^closed\(…\) +yes$/m);
  const json = await machine.run(["describe", "--name", "my-math", "--json"]);
  const { methods } = JSON.parse(json.stdout);
  assert(methods.some(({ name }: { name: string }) => name === "closed"));
  kite.handle("add", { args: [z.number(), z.number()], result: z.number() }, (a, b) => a + b);
  const signatures = await machine.run(["describe", "--name", "my-math"]);
  assertMatch(signatures.stdout, /^add\(number, number\): number +yes$/m);
  const types = await machine.run(["describe", "--name", "my-math", "--types"]);
  assertMatch(types.stdout, /^export const myMathContract = contract\(\{$/m);
  const use = `import type { Client } from "@kite/kite";
    export const sum = (math: Client): Promise<number> => math.as(myMathContract).add(1, 2);`;
  await typeCheck(`${types.stdout}\n${use}`);

  kite.handle("kite.describe", () => ({ methods: "none" })).disableAuthentication();
  const odd = await machine.run(["describe", "--name", "my-math"]);
  assertEquals(odd.code, 1);
  assertMatch(odd.stderr, /Cannot read the description: it has no methods/);
  kite.unhandle("kite.describe");
  const old = await machine.run(["describe", "--name", "my-math"]);
  assertMatch(old.stderr, /it has no method kite\.describe\nGo kites and kite\.js cannot/);
});

/** Checks a program of this project. */
async function typeCheck(source: string): Promise<void> {
  await Deno.mkdir(CACHE, { recursive: true });
  const file = await Deno.makeTempFile({ dir: fromFileUrl(CACHE), suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, source);
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--quiet", file],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(file);
  }
}
