// cspell:ignore timeot
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import {
  type Client,
  contract,
  Kite,
  KiteError,
  method,
  type,
  type WaitOptions,
} from "../../mod.ts";
import type { KiteEvent } from "../../src/discovery/watch.ts";
import type { TestKontrol } from "../../src/testing/mod.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { connectTo, find, startKontrol, TemporaryFolder } from "../kontrol/support.ts";

const URL = "http://127.0.0.1:3636/kite";

async function startMath(kontrol: TestKontrol, region = "here"): Promise<Kite> {
  const math = await kontrol.newKite("math", "1.2.3", { region, logLevel: "FATAL" });
  math.handle("square", ({ args }) => args.one().number() ** 2);
  await math.register((await math.listen()).url);
  return math;
}

Deno.test("getKites: returns clients with identity and token", async () => {
  await using kontrol = await startKontrol();
  const [one, two] = [await startMath(kontrol, "one"), await startMath(kontrol, "two")];
  const caller = await kontrol.newKite("caller");
  const clients = await caller.getKites({ name: "math", version: "~> 1.2" });
  const byRegion = (client: Client) => client.identity?.region ?? "";
  assertEquals(clients.map(byRegion).sort(), ["one", "two"]);
  for (const client of clients) {
    assertEquals([client.state, client.authentication?.type], ["idle", "token"]);
    await client.dial();
    assertEquals(await client.tell("square", 4), 16);
  }
  assertEquals((await caller.getKites({ name: "math", region: "two" })).map(byRegion), ["two"]);
  assertNotEquals(one.id, two.id);
});

Deno.test("getToken: returns the cached token, or a new one with force; getKey: returns Kontrol's key", async () => {
  await using kontrol = await startKontrol();
  const math = await startMath(kontrol);
  const caller = await kontrol.newKite("caller");
  const token = await caller.getToken({ name: "math" });
  assertEquals(await caller.getToken({ id: math.id }), token);
  const forced = await caller.getToken({ name: "math" }, { force: true });
  assertNotEquals(forced, token);
  assertEquals(await caller.getToken({ name: "math" }), forced);
  assertEquals(await caller.getKey(), (await kontrol.kontrol.keys.own()).public);
});

/** Takes the events of a watch in the background. */
function collect(events: AsyncIterable<KiteEvent>): { told: string[]; over: Promise<unknown> } {
  const told: string[] = [];
  const over = (async () => {
    for await (const { action, kite, url, token } of events) {
      told.push(`${action} ${kite.id} ${url} ${token === "" ? "-" : "token"}`);
    }
  })().catch((error) => error);
  return { told, over };
}

Deno.test("watchKites: yields the registered kites, then every change, until it is stopped", async () => {
  await using kontrol = await startKontrol({ liveness: { disconnectGrace: 0 } });
  const there = await kontrol.newKite("math");
  await there.register(URL);
  const watcher = await kontrol.newKite("watcher");
  const watch = watcher.watchKites({ name: "math" });
  const { told, over } = collect(watch);
  await eventually(() => told.length === 1);
  await there.registerOnce("http://127.0.0.1:1/kite");
  await eventually(() => told.length === 2);
  await there.close();
  await eventually(() => told.length === 3);
  assertEquals(told, [
    `REGISTER ${there.id} ${URL} token`,
    `REGISTER ${there.id} http://127.0.0.1:1/kite token`,
    `DEREGISTER ${there.id} http://127.0.0.1:1/kite -`,
  ]);
  await watch.close();
  assertEquals(await over, undefined);
  await watch.close();
});

Deno.test("watchKites: leaving the loop cancels the watch at Kontrol, and closing the kite ends it", async () => {
  await using kontrol = await startKontrol();
  await (await kontrol.newKite("math")).register(URL);
  const watcher = await kontrol.newKite("watcher");
  const running = async () => {
    const text = await (await fetch(kontrol.url.replace(/kite$/, "metrics"))).text();
    return /kontrol_watchers (\d+)/.exec(text)?.[1];
  };
  for await (const { action, kite } of watcher.watchKites({ name: "math" })) {
    assertEquals([action, kite.name, await running()], ["REGISTER", "math", "1"]);
    break;
  }
  await eventually(async () => await running() === "0");
  const { over } = collect(watcher.watchKites({ name: "math" }));
  await eventually(async () => await running() === "1");
  await watcher.close();
  assertEquals(await over, undefined);
});

Deno.test("watchKites: an invalid query ends the watch with the reason", async () => {
  await using kontrol = await startKontrol();
  const watcher = await kontrol.newKite("watcher");
  let type = "none";
  try {
    for await (const _event of watcher.watchKites({ version: "abc" })) type = "event";
  } catch (error) {
    type = (error as { type: string }).type;
  }
  assertEquals(type, "argumentError");
});

Deno.test("watchKites: reports changes during a restart of Kontrol once", async () => {
  await using folder = new TemporaryFolder();
  const port = freePort();
  const options = () => ({
    storage: new SqliteStorage({ path: `${folder.path}/kontrol.db` }),
    kite: { port, logLevel: "FATAL" as const },
    liveness: { disconnectGrace: 0 },
  });
  const first = await startKontrol(options());
  const { pair } = first;
  const kiteKey = await first.kiteKey();
  const make = (name: string) =>
    new Kite(name, "1.0.0", { kiteKey, kontrolUrl: first.url, logLevel: "FATAL" });
  await using watcher = make("watcher");
  await using stays = make("math");
  await using goes = make("math");
  await Promise.all([stays.register(URL), goes.register(URL)]);
  const { told } = collect(watcher.watchKites({ name: "math" }));
  await eventually(() => told.length === 2);
  await first[Symbol.asyncDispose]();
  await goes.close();
  await using _second = await startKontrol({ ...options(), pair });
  await using comes = make("math");
  await comes.register("http://127.0.0.1:9/kite");
  const storage = new SqliteStorage({ path: `${folder.path}/kontrol.db` });
  await storage.delete(goes.id);
  await storage[Symbol.asyncDispose]();
  await eventually(() => told.length >= 4, { withinMs: 8_000, what: "the changes" });
  assertEquals(told.slice(2).sort(), [
    `DEREGISTER ${goes.id} ${URL} -`,
    `REGISTER ${comes.id} http://127.0.0.1:9/kite token`,
  ]);
});

Deno.test("kontrolUrl: uses the next URL when a Kontrol stops", async () => {
  await using folder = new TemporaryFolder();
  const options = () => ({
    storage: new SqliteStorage({ path: `${folder.path}/kontrol.db`, pollInterval: 50 }),
  });
  const one = await startKontrol(options());
  await using two = await startKontrol({ ...options(), pair: one.pair });
  const dead = `http://127.0.0.1:${freePort()}/kite`;
  const kiteKey = await one.kiteKey();
  const make = (name: string) =>
    new Kite(name, "1.0.0", {
      ip: "127.0.0.1",
      kiteKey,
      kontrolUrl: [dead, one.url, two.url],
      logLevel: "FATAL",
    });
  await using math = make("math");
  await using overHttp = make("http");
  await using caller = make("caller");
  await math.register(URL);
  await overHttp.registerHttp(URL);
  assertEquals((await caller.getKites({ name: "math" })).length, 1);
  const { told } = collect(caller.watchKites({ name: "late" }));
  await one[Symbol.asyncDispose]();
  assertEquals((await caller.getKites({ name: "math" })).length, 1);
  const { client } = await connectTo(two);
  await eventually(() => two.kontrol.metrics.text([]).includes("registrations_total 1"), {
    withinMs: 5_000,
    what: "the kite at the other Kontrol",
  });
  assertEquals((await find(client, { name: "math" })).length, 1);
  await using late = make("late");
  await late.register(URL);
  await eventually(() => told.length === 1, { withinMs: 5_000 });
  assert(caller.kontrol.url === two.url);
});

Deno.test("getKites and getToken: the code kitesNotFound tells that no kite matches", async () => {
  await using kontrol = await startKontrol();
  const caller = await kontrol.newKite("caller");
  for (
    const [find, message] of [
      [() => caller.getKites({ name: "nosuch" }), "no kites availabile"],
      [() => caller.getToken({ name: "nosuch" }), "no kites found"],
    ] as const
  ) {
    const error = await assertRejects(find, KiteError, message) as KiteError;
    assertEquals([error.type, error.code], ["genericError", "kitesNotFound"]);
  }
  const other = await assertRejects(() => caller.getKites({}), KiteError) as KiteError;
  assertEquals(other.codeIs("kitesNotFound"), false);
});

Deno.test("getKites: an aborted signal ends the wait for Kontrol, an unknown option is refused", async () => {
  const kite = new Kite("caller", "1.0.0", {
    ip: "127.0.0.1",
    logLevel: "FATAL",
    kontrolUrl: "http://127.0.0.1:9/kite",
  });
  await using _kite = kite;
  const signal = AbortSignal.abort();
  const query = { name: "math" };
  const aborted = await assertRejects(
    () => kite.getKites(query, { signal }),
    KiteError,
    'Cannot call "getKites": the signal was aborted',
  ) as KiteError;
  assertEquals(aborted.type, "aborted");
  const wrong = { timeot: 5 } as WaitOptions;
  await assertRejects(() => kite.getKites(query, wrong), KiteError, "did you mean timeout?");
});

const squares = contract({ square: method({ args: [type<number>()], result: type<number>() }) });

Deno.test("getKites with a contract gives each client its typed functions", async () => {
  await using kontrol = await startKontrol();
  const math = await kontrol.newKite("math");
  math.implement(squares, { square: (n) => n ** 2 });
  await math.register((await math.listen()).url);

  const caller = await kontrol.newKite("caller");
  const [found] = await caller.getKites({ name: "math" }, { contract: squares });
  await found!.client.dial();
  const nine: number = await found!.api.square(3);
  assertEquals(nine, 9);
});

Deno.test("watchKites with a contract gives a client and its typed functions to each REGISTER", async () => {
  await using kontrol = await startKontrol();
  const math = await kontrol.newKite("math");
  math.implement(squares, { square: (n) => n ** 2 });
  await math.register((await math.listen()).url);

  const caller = await kontrol.newKite("caller");
  const actions: string[] = [];
  for await (const event of caller.watchKites({ name: "math" }, { contract: squares })) {
    actions.push(event.action);
    if (event.action === "DEREGISTER") {
      assertEquals("client" in event, false);
      break;
    }
    await event.client.dial();
    assertEquals(await event.api.square(5), 25);
    await math.close({ deadline: 0 });
  }
  assertEquals(actions, ["REGISTER", "DEREGISTER"]);
});

Deno.test("watchKites: close ends the loop, and may be called again", async () => {
  await using kontrol = await startKontrol();
  const caller = await kontrol.newKite("caller");
  const watch = caller.watchKites({ name: "math" });
  const loop = Array.fromAsync(watch);
  await watch.close();
  await watch.close();
  assertEquals(await loop, []);
});
