import { assert, assertEquals } from "@std/assert";
import type { Client } from "../../mod.ts";
import { KiteError } from "../../mod.ts";
import type { KeyPairPem } from "../../src/auth/keys.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import { Registry } from "../../kontrol/registry.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { find, identity, lineTo, refused, startKontrol, TemporaryFolder } from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";
const BRISK = { heartbeatInterval: 1_000, heartbeatGrace: 300, disconnectGrace: 0 };

function isListed(line: Client, name: string): Promise<boolean> {
  return find(line, { name }).then((found) => found.length > 0);
}

async function goes(line: Client, name: string, withinMs: number): Promise<number> {
  const start = performance.now();
  await eventually(async () => !await isListed(line, name), { withinMs, what: `${name}'s going` });
  return performance.now() - start;
}

Deno.test("liveness: with the defaults, a kite whose session closes is gone within 2 s", async () => {
  await using kontrol = await startKontrol();
  const { line } = await lineTo(kontrol);
  const kite = await kontrol.newKite("math");
  await kite.register(URL);
  assert(await isListed(line, "math"));
  await kite.close();
  const took = await goes(line, "math", 2_000);
  assert(took >= 500, `gone after ${took} ms, before the grace was over`);
});

Deno.test("liveness: back within the grace, a kite never leaves the answers", async () => {
  await using kontrol = await startKontrol({ liveness: { disconnectGrace: 600 } });
  const { line } = await lineTo(kontrol);
  const { kite, line: first } = await lineTo(kontrol, "math");
  const authentication = { type: "kiteKey", key: kite.config.kiteKey ?? "" };
  await first.tell("register", URL);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 200));
  await using second = kite.newClient(kontrol.url, { authentication });
  await second.dial();
  await second.tell("register", URL);
  const end = performance.now() + 1_500;
  while (performance.now() < end) {
    assert(await isListed(line, "math"));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

Deno.test("liveness: the late end of an old connection does not take the new one's kite", async () => {
  await using kontrol = await startKontrol({ liveness: BRISK });
  const { line } = await lineTo(kontrol);
  const { kite, line: first } = await lineTo(kontrol, "math");
  const authentication = { type: "kiteKey", key: kite.config.kiteKey ?? "" };
  await first.tell("register", URL);
  await using second = kite.newClient(kontrol.url, { authentication });
  await second.dial();
  await second.tell("register", URL);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 800));
  assert(await isListed(line, "math"));
});

Deno.test("liveness: a kite that hangs is gone in time, and back with its next heartbeat", async () => {
  await using kontrol = await startKontrol({ liveness: BRISK });
  const { line } = await lineTo(kontrol);
  const { kite, line: hung } = await lineTo(kontrol, "math");
  let ping: () => void = () => {};
  kite.handle("kite.heartbeat", ({ args }) => {
    ping = args.at(1).function();
    return null;
  });
  await hung.tell("register", URL);
  const took = await goes(line, "math", 2_500);
  assert(took > 1_000, `gone after ${took} ms, before it was late`);
  ping();
  await eventually(() => isListed(line, "math"), { withinMs: 1_000, what: "its coming back" });
  await goes(line, "math", 2_500);
});

Deno.test("liveness: heartbeats keep a kite for good, several kites on one connection too", async () => {
  await using kontrol = await startKontrol({ liveness: { ...BRISK, refreshInterval: 300 } });
  const { line } = await lineTo(kontrol);
  const { line: gate } = await lineTo(kontrol, "gate");
  await gate.tell("register", URL);
  const kite = await kontrol.newKite("math");
  await kite.register(URL);
  const end = performance.now() + 2_500;
  while (performance.now() < end) {
    assertEquals((await find(line, { environment: "test" })).length, 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

Deno.test("liveness: entries outlive the storage's time only while heartbeats come", async () => {
  const storage = new MemoryStorage({ timeToLive: 1_200 });
  await using kontrol = await startKontrol({
    storage,
    liveness: { ...BRISK, refreshInterval: 300, heartbeatGrace: 60_000 },
  });
  const { line } = await lineTo(kontrol);
  const kite = await kontrol.newKite("math");
  await kite.register(URL);
  const dead = { kite: identity({ name: "dead" }), url: URL, keyId: crypto.randomUUID() };
  await storage.upsert(dead);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assertEquals([await isListed(line, "math"), await isListed(line, "dead")], [true, false]);
});

for (const way of ["register", "registerHttp"] as const) {
  Deno.test(`liveness: after a restart of Kontrol a kite is listed again by itself (${way})`, async () => {
    const port = freePort();
    const start = (pair?: KeyPairPem) =>
      startKontrol({ kite: { port, logLevel: "FATAL" }, liveness: BRISK, ...(pair && { pair }) });
    const first = await start();
    const kite = await first.newKite("math", "1.0.0", { logLevel: "FATAL" });
    const registrations: string[] = [];
    kite.onRegister((url) => registrations.push(url));
    await kite[way](URL);
    await first.kontrol.close({ deadline: 0 });
    await using second = await start(first.pair);
    const { line } = await lineTo(second);
    await eventually(() => isListed(line, "math"), { withinMs: 8_000, what: "the kite" });
    // The kite hears of its registration after Kontrol has listed it.
    await eventually(() => registrations.length === 2, { what: "the second registration" });
    assertEquals(registrations, [URL, URL]);
    await kite.close();
  });
}

Deno.test("liveness: what another Kontrol keeps stays when its old connection here goes", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  await using one = await startKontrol({ storage: new SqliteStorage({ path }), liveness: BRISK });
  const { pair } = one;
  await using two = await startKontrol({
    storage: new SqliteStorage({ path }),
    liveness: BRISK,
    pair,
  });
  const { line } = await lineTo(one);
  const { kite, line: first } = await lineTo(one, "math");
  await first.tell("register", URL);
  await using second = kite.newClient(two.url, {
    authentication: { type: "kiteKey", key: kite.config.kiteKey ?? "" },
  });
  await second.dial();
  await second.tell("register", URL);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 800));
  assert(await isListed(line, "math"));
  second.close();
  await goes(line, "math", 2_000);
});

Deno.test("liveness: a Kontrol that closes leaves its kites to the others, and takes itself out", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  const one = await startKontrol({ storage: new SqliteStorage({ path }) });
  const { pair } = one;
  await using two = await startKontrol({ storage: new SqliteStorage({ path }), pair });
  const { line } = await lineTo(two);
  const { line: kites } = await lineTo(one, "math");
  await kites.tell("register", URL);
  assertEquals((await find(line, { name: "kontrol" })).length, 2);
  await one[Symbol.asyncDispose]();
  assertEquals((await find(line, { name: "kontrol" })).length, 1);
  assert(await isListed(line, "math"));
});

Deno.test("liveness: a registration that the storage refuses changes nothing", async () => {
  await using kontrol = await startKontrol();
  const alice = await lineTo(kontrol, "math", { username: "alice" });
  await alice.line.tell("register", URL);
  const { id } = alice.kite;
  const mallory = await lineTo(kontrol, "math", { username: "mallory", id });
  await refused(
    () => mallory.line.tell("register", "http://127.0.0.1:6/kite"),
    "argumentError",
    `Cannot use id "${id}": it belongs to a kite of another user`,
  );
  mallory.line.close();
  await new Promise((resolve) => setTimeout(resolve, 1_700));
  const found = await find(alice.line, { id });
  assertEquals(found.map(({ kite, url }) => [kite.username, url]), [["alice", URL]]);
});

Deno.test("liveness: while the storage is away nobody is lost", async () => {
  const storage = new MemoryStorage();
  let isAway = false;
  const refresh = storage.refresh.bind(storage);
  storage.refresh = (ids) =>
    isAway ? Promise.reject(new KiteError("storageError", "away")) : refresh(ids);
  const told: string[] = [];
  const options = { ...BRISK, heartbeatInterval: 60_000, refreshInterval: 0 };
  using registry = new Registry(storage, options, (what) => told.push(what));
  const kite = identity();
  await registry.add({ kite, url: URL, keyId: crypto.randomUUID() }, "http");
  isAway = true;
  await registry.sweep();
  assertEquals(told, ["kites could not be refreshed, which is tried again"]);
  assertEquals([registry.size, (await storage.get({ id: kite.id })).length], [1, 1]);
  isAway = false;
  await storage.delete(kite.id);
  await eventually(async () => {
    await registry.sweep();
    return (await storage.get({ id: kite.id })).length === 1;
  }, { withinMs: 4_000, what: "the kite's return" });
  await storage[Symbol.asyncDispose]();
});
