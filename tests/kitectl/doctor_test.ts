import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { startTestKontrol } from "../../src/testing/kontrol.ts";
import { freePort } from "../support/ports.ts";
import { Machine } from "./support.ts";

interface Line {
  readonly check: string;
  readonly state: string;
  readonly text: string;
  readonly remedy?: string;
}

/** The findings of `kitectl doctor`, by check. */
async function examine(
  machine: Machine,
  env: Record<string, string> = {},
): Promise<{ code: number; found: Map<string, Line> }> {
  const port = String(freePort());
  const all = { KONTROL_PORT: port, ...env };
  const { code, stdout, stderr } = await machine.run(["doctor", "--json"], { env: all });
  assertEquals(stderr, "");
  const lines: Line[] = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const found = new Map(lines.map((line) => {
    assert(line.state === "ok" || line.remedy !== undefined || line.state === "warning");
    return [line.check.replace(port, "N"), line];
  }));
  return { code, found };
}

function states(found: Map<string, Line>): Record<string, string> {
  return Object.fromEntries([...found].map(([check, { state }]) => [check, state]));
}

Deno.test("kitectl doctor: all is well", async () => {
  await using kontrol = await startTestKontrol();
  await using machine = await Machine.make();
  await machine.writeKey(await kontrol.kiteKey("ada"));
  const { code, found } = await examine(machine);
  assertEquals(states(found), {
    "key": "ok",
    "Kontrol": "ok",
    "clock": "ok",
    "storage": "ok",
    "trust": "ok",
    "WebSocket": "ok",
    "XHRPolling": "ok",
    "port N": "ok",
  });
  assertEquals(code, 0);
  const text = await machine.run(["doctor"]);
  assertMatch(text.stdout, /^ok {7}key {9}\S+kite\.key, of ada, issued by testuser/m);
  const { port } = new URL(kontrol.url);
  assertMatch(text.stdout, new RegExp(`^ok {7}port ${port} +Kontrol listens on it$`, "m"));
});

Deno.test("kitectl doctor: no key and no Kontrol, and the commands that fix it", async () => {
  await using machine = await Machine.make();
  const env = { KITE_KONTROL_URL: `http://localhost:${freePort()}/kite` };
  const { code, found } = await examine(machine, env);
  assertEquals(code, 1);
  assertEquals([found.get("key")?.state, found.get("Kontrol")?.state], ["wrong", "wrong"]);
  assertMatch(found.get("key")!.remedy!, /^kitectl register, or kitectl up/);
  assertEquals(found.get("Kontrol")!.remedy, "kitectl up");
  const text = await machine.run(["doctor"], { env });
  assertMatch(text.stdout, /^wrong {4}key .*\n +fix: kitectl register/m);
});

Deno.test("kitectl doctor: a key that others can read, that is broken, or that Kontrol refuses", async () => {
  await using kontrol = await startTestKontrol();
  await using other = await startTestKontrol();
  await using machine = await Machine.make();
  const path = `${machine.home}/kite.key`;
  await machine.writeKey(await kontrol.kiteKey("ada"));
  await Deno.chmod(path, 0o644);
  const open = (await examine(machine)).found.get("key")!;
  assertEquals([open.state, open.remedy], ["warning", `chmod 400 ${path}`]);
  // Following the remedy helps.
  await Deno.chmod(path, 0o400);
  assertEquals((await examine(machine)).found.get("key")!.state, "ok");

  const { code, found } = await examine(machine, { KITE_KONTROL_URL: other.url });
  assertEquals([code, found.get("trust")!.state], [1, "wrong"]);
  assertEquals(found.get("trust")!.remedy, "kitectl register --force");

  await Deno.remove(path);
  await Deno.writeTextFile(path, "broken");
  const broken = (await examine(machine)).found;
  assertEquals(broken.get("key")!.state, "wrong");
  assertEquals(broken.get("settings")!.state, "wrong");
});

Deno.test("kitectl doctor: a clock that is wrong, a storage that is away, a WebSocket that is refused", async () => {
  await using machine = await Machine.make();
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => {
      const { pathname } = new URL(request.url);
      const date = new Date(Date.now() - 3_600_000).toUTCString();
      return new Response("", { status: pathname === "/readyz" ? 503 : 404, headers: { date } });
    },
  );
  const env = { KITE_KONTROL_URL: `http://127.0.0.1:${server.addr.port}/kite` };
  const { found } = await examine(machine, env);
  const [clock, storage] = [found.get("clock")!, found.get("storage")!];
  assertEquals([clock.state, storage.state], ["wrong", "wrong"]);
  assertMatch(clock.text, /^36\d\d s ahead of Kontrol's$/);
  assertStringIncludes(clock.remedy!, "timedatectl");
  assertEquals(found.get("WebSocket")!.state, "wrong");
  assertStringIncludes(found.get("WebSocket")!.remedy!, "KITE_TRANSPORT=XHRPolling");
});

Deno.test("kitectl doctor: a port that another program has", async () => {
  await using machine = await Machine.make();
  using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
  const { port } = listener.addr;
  const closing = (async () => {
    for await (const connection of listener) connection.close();
  })();
  const { stdout } = await machine.run(["doctor", "--json"], {
    env: {
      KONTROL_PORT: String(port),
      KITE_KONTROL_URL: `http://localhost:${freePort()}/kite`,
    },
  });
  const line = stdout.trim().split("\n").map((each) => JSON.parse(each)).at(-1);
  assertEquals([line.check, line.state], [`port ${port}`, "warning"]);
  assertMatch(line.remedy, /^kitectl up --port \d+$/);
  listener.close();
  await closing;
});
