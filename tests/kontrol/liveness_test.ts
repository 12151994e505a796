import { assert, assertEquals } from "@std/assert";
import type { Client } from "../../mod.ts";
import { KiteError } from "../../mod.ts";
import type { KeyPairPem } from "../../src/auth/keys.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import { Registry } from "../../kontrol/registry.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { connectTo, find, identity, refused, startKontrol, TemporaryFolder } from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";
const SHORT = { heartbeatInterval: 1_000, heartbeatGrace: 300, disconnectGrace: 0 };

function isListed(client: Client, name: string): Promise<boolean> {
  return find(client, { name }).then((found) => found.length > 0);
}

async function waitUntilGone(client: Client, name: string, withinMs: number): Promise<number> {
  const start = performance.now();
  await eventually(async () => !await isListed(client, name), {
    withinMs,
    what: `removal of ${name}`,
  });
  return performance.now() - start;
}

Deno.test("liveness: with the defaults, a kite is removed within 2 s after its session closed", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol);
  const kite = await kontrol.newKite("math");
  await kite.register(URL);
  assert(await isListed(client, "math"));
  await kite.close();
  const took = await waitUntilGone(client, "math", 2_000);
  assert(took >= 500, `removed after ${took} ms, within the grace period`);
});

Deno.test("liveness: a kite that reconnects within the grace period stays listed", async () => {
  await using kontrol = await startKontrol({ liveness: { disconnectGrace: 600 } });
  const { client } = await connectTo(kontrol);
  const { kite, client: first } = await connectTo(kontrol, "math");
  const authentication = { type: "kiteKey", key: kite.config.kiteKey ?? "" };
  await first.tell("register", URL);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 200));
  await using second = kite.newClient(kontrol.url, { authentication });
  await second.dial();
  await second.tell("register", URL);
  const end = performance.now() + 1_500;
  while (performance.now() < end) {
    assert(await isListed(client, "math"));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
});

Deno.test("liveness: the end of an old connection does not remove a kite with a new one", async () => {
  await using kontrol = await startKontrol({ liveness: SHORT });
  const { client } = await connectTo(kontrol);
  const { kite, client: first } = await connectTo(kontrol, "math");
  const authentication = { type: "kiteKey", key: kite.config.kiteKey ?? "" };
  await first.tell("register", URL);
  await using second = kite.newClient(kontrol.url, { authentication });
  await second.dial();
  await second.tell("register", URL);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 800));
  assert(await isListed(client, "math"));
});

Deno.test("liveness: a silent kite is removed, and listed again after its next heartbeat", async () => {
  await using kontrol = await startKontrol({ liveness: SHORT });
  const { client } = await connectTo(kontrol);
  const { kite, client: hung } = await connectTo(kontrol, "math");
  let ping: () => void = () => {};
  kite.handle("kite.heartbeat", ({ args }) => {
    ping = args.at(1).function();
    return null;
  });
  await hung.tell("register", URL);
  const took = await waitUntilGone(client, "math", 2_500);
  assert(took > 1_000, `removed after ${took} ms, before it was late`);
  ping();
  await eventually(() => isListed(client, "math"), { withinMs: 1_000, what: "its return" });
  await waitUntilGone(client, "math", 2_500);
});

Deno.test("liveness: heartbeats keep kites listed, also several on one connection", async () => {
  await using kontrol = await startKontrol({ liveness: { ...SHORT, refreshInterval: 300 } });
  const { client } = await connectTo(kontrol);
  const { client: gate } = await connectTo(kontrol, "gate");
  await gate.tell("register", URL);
  const kite = await kontrol.newKite("math");
  await kite.register(URL);
  const end = performance.now() + 2_500;
  while (performance.now() < end) {
    assertEquals((await find(client, { environment: "test" })).length, 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
});

Deno.test("liveness: registrations outlive the storage's time to live only with heartbeats", async () => {
  const storage = new MemoryStorage({ timeToLive: 1_200 });
  await using kontrol = await startKontrol({
    storage,
    liveness: { ...SHORT, refreshInterval: 300, heartbeatGrace: 60_000 },
  });
  const { client } = await connectTo(kontrol);
  const kite = await kontrol.newKite("math");
  await kite.register(URL);
  const dead = { kite: identity({ name: "dead" }), url: URL, keyId: crypto.randomUUID() };
  await storage.upsert(dead);
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assertEquals([await isListed(client, "math"), await isListed(client, "dead")], [true, false]);
});

for (const way of ["register", "registerHttp"] as const) {
  Deno.test(`liveness: a kite is listed again automatically after a restart of Kontrol (${way})`, async () => {
    const port = freePort();
    const start = (pair?: KeyPairPem) =>
      startKontrol({ kite: { port, logLevel: "FATAL" }, liveness: SHORT, ...(pair && { pair }) });
    const first = await start();
    const kite = await first.newKite("math", "1.0.0", { logLevel: "FATAL" });
    const registrations: string[] = [];
    kite.onRegister((url) => registrations.push(url));
    await kite[way](URL);
    await first.kontrol.close({ deadline: 0 });
    await using second = await start(first.pair);
    const { client } = await connectTo(second);
    await eventually(() => isListed(client, "math"), { withinMs: 8_000, what: "the kite" });
    // The kite receives the answer after Kontrol has listed it.
    await eventually(() => registrations.length === 2, { what: "the second registration" });
    assertEquals(registrations, [URL, URL]);
    await kite.close();
  });
}

Deno.test("liveness: a kite that moved to another Kontrol stays listed when its old connection ends", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  await using one = await startKontrol({ storage: new SqliteStorage({ path }), liveness: SHORT });
  const { pair } = one;
  await using two = await startKontrol({
    storage: new SqliteStorage({ path }),
    liveness: SHORT,
    pair,
  });
  const { client } = await connectTo(one);
  const { kite, client: first } = await connectTo(one, "math");
  await first.tell("register", URL);
  await using second = kite.newClient(two.url, {
    authentication: { type: "kiteKey", key: kite.config.kiteKey ?? "" },
  });
  await second.dial();
  await second.tell("register", URL);
  first.close();
  await new Promise((resolve) => setTimeout(resolve, 800));
  assert(await isListed(client, "math"));
  second.close();
  await waitUntilGone(client, "math", 2_000);
});

Deno.test("liveness: a Kontrol that closes removes only its own registration", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  const one = await startKontrol({ storage: new SqliteStorage({ path }) });
  const { pair } = one;
  await using two = await startKontrol({ storage: new SqliteStorage({ path }), pair });
  const { client } = await connectTo(two);
  const { client: kites } = await connectTo(one, "math");
  await kites.tell("register", URL);
  assertEquals((await find(client, { name: "kontrol" })).length, 2);
  await one[Symbol.asyncDispose]();
  assertEquals((await find(client, { name: "kontrol" })).length, 1);
  assert(await isListed(client, "math"));
});

Deno.test("liveness: a registration with another user's id changes nothing", async () => {
  await using kontrol = await startKontrol();
  const alice = await connectTo(kontrol, "math", { username: "alice" });
  await alice.client.tell("register", URL);
  const { id } = alice.kite;
  const mallory = await connectTo(kontrol, "math", { username: "mallory", id });
  await refused(
    () => mallory.client.tell("register", "http://127.0.0.1:6/kite"),
    "argumentError",
    `Cannot use id "${id}": it belongs to a kite of another user`,
  );
  mallory.client.close();
  await new Promise((resolve) => setTimeout(resolve, 1_700));
  const found = await find(alice.client, { id });
  assertEquals(found.map(({ kite, url }) => [kite.username, url]), [["alice", URL]]);
});

Deno.test("liveness: no kite is lost while the storage is unavailable", async () => {
  const storage = new MemoryStorage();
  let isUnavailable = false;
  const refresh = storage.refresh.bind(storage);
  storage.refresh = (ids) =>
    isUnavailable ? Promise.reject(new KiteError("storageError", "unavailable")) : refresh(ids);
  const reports: string[] = [];
  const options = { ...SHORT, heartbeatInterval: 60_000, refreshInterval: 0 };
  using registry = new Registry(storage, options, (what) => reports.push(what));
  const kite = identity();
  await registry.add({ kite, url: URL, keyId: crypto.randomUUID() }, "http");
  isUnavailable = true;
  await registry.sweep();
  assertEquals(reports, ["Cannot refresh kites, will retry"]);
  assertEquals([registry.size, (await storage.get({ id: kite.id })).length], [1, 1]);
  isUnavailable = false;
  await storage.delete(kite.id);
  await eventually(async () => {
    await registry.sweep();
    return (await storage.get({ id: kite.id })).length === 1;
  }, { withinMs: 4_000, what: "the kite's return" });
  await storage[Symbol.asyncDispose]();
});
