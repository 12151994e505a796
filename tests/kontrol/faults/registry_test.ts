import { assert, assertEquals, assertRejects } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { KiteError } from "../../../mod.ts";
import type { LivenessOptions } from "../../../kontrol/liveness.ts";
import { Registry } from "../../../kontrol/registry.ts";
import { MemoryStorage } from "../../../kontrol/storage/memory.ts";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import type { Registration } from "../../../kontrol/storage/storage.ts";
import { eventually } from "../../support/eventually.ts";
import { ids, PAIR, registration } from "../storage/fixture.ts";

/** A registry on an SQLite file, which another connection can lock. */
async function withRegistry(
  liveness: LivenessOptions,
  body: (registry: Registry, storage: SqliteStorage, locker: DatabaseSync) => Promise<void>,
): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "kite_registry_" });
  const path = `${directory}/kontrol.db`;
  const reports: string[] = [];
  try {
    await using storage = new SqliteStorage({ path, operationTimeout: 1_000 });
    await storage.keyPairs.add(PAIR);
    using registry = new Registry(storage, liveness, (what) => reports.push(what));
    const locker = new DatabaseSync(path);
    try {
      await body(registry, storage, locker);
    } finally {
      locker.close();
    }
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("faults: a kite that comes back while its removal is held up stays", async () => {
  await withRegistry({ disconnectGrace: 0 }, async (registry, storage, locker) => {
    for (let round = 0; round < 5; round++) {
      const kites = [registration(), registration(), registration()];
      const before = {};
      for (const kite of kites) await registry.add(kite, "connection", before);
      locker.exec("BEGIN IMMEDIATE");
      for (const { kite } of kites) registry.disconnected(kite.id, before);
      // By now each wait of the removals is a long one: what comes later is faster.
      await new Promise((resolve) => setTimeout(resolve, 120));
      const after = {};
      const back = kites.map((kite) => registry.add(kite, "connection", after));
      await new Promise((resolve) => setTimeout(resolve, 5));
      locker.exec("COMMIT");
      await Promise.all(back);
      await registry.sweep();
      // A sweep that was under way may have some left to look at.
      await new Promise((resolve) => setTimeout(resolve, 120));
      const found = await storage.get({ name: "math" });
      assertEquals(ids(found), ids(kites));
      for (const { kite } of kites) registry.disconnected(kite.id, after);
      await eventually(async () => (await storage.get({ name: "math" })).length === 0);
    }
  });
});

Deno.test("faults: what a storage lost is put back with the next sweep after a recheck", async () => {
  await withRegistry({}, async (registry, storage) => {
    const kites = Array.from({ length: 100 }, () => registration());
    for (const kite of kites) await registry.add(kite, "connection", {});
    for (const { kite } of kites) await storage.delete(kite.id);
    await registry.sweep();
    assertEquals(await storage.get({ name: "math" }), [], "nobody looks without need");
    registry.recheck();
    await eventually(async () => (await storage.get({ name: "math" })).length === 100);
    assertEquals(ids(await storage.get({ name: "math" })), ids(kites));
  });
});

Deno.test("faults: a registration that ends after its Kontrol leaves nothing running", async () => {
  await withRegistry({}, async (registry, _storage, locker) => {
    locker.exec("BEGIN IMMEDIATE");
    const added = registry.add(registration(), "http");
    registry[Symbol.dispose]();
    locker.exec("COMMIT");
    await added;
    assertEquals(registry.size, 0);
  });
});

/** Blocks the event loop, as too much work in one turn does. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

Deno.test("faults: nobody counts as late for a time in which Kontrol itself did not run", async () => {
  const liveness = { heartbeatInterval: 500, heartbeatGrace: 1_500, disconnectGrace: 1_500 };
  await withRegistry(liveness, async (registry, storage) => {
    const [overHttp, connected, gone] = [registration(), registration(), registration()];
    const [lastHeartbeat, ended] = [{}, {}];
    await registry.add(overHttp, "http");
    await registry.add(connected, "connection", lastHeartbeat);
    await registry.add(gone, "connection", ended);
    registry.disconnected(gone.kite.id, ended);
    const removals: Registration[] = [];
    using _losses = storage.onLoss((lost) => lost && removals.push(lost));
    block(3_500);
    await registry.sweep();
    // The heartbeats that waited come after the first sweep.
    await new Promise((resolve) => setTimeout(resolve, 100));
    assertEquals(removals, []);
    assertEquals(registry.recordHttpHeartbeat(overHttp.kite.id), true);
    registry.recordHeartbeat(lastHeartbeat);
    await eventually(() => removals.length === 1, { what: "the kite whose connection has closed" });
    assertEquals(ids(removals), ids([gone]));
    assertEquals(ids(await storage.get({ name: "math" })), ids([overHttp, connected]));
    await eventually(() => removals.length === 3, { what: "the silent kites" });
  });
});

Deno.test("faults: a wall clock that jumps makes nobody late, and has every kite looked for", async () => {
  const liveness = { heartbeatInterval: 500, heartbeatGrace: 5_000 };
  for (const jump of [-3_600_000, 3_600_000]) {
    await withRegistry(liveness, async (registry, storage) => {
      const kite = registration();
      await registry.add(kite, "connection", {});
      const looked: string[] = [];
      const refresh = storage.refresh.bind(storage);
      storage.refresh = async (wanted, options) => {
        const missing = await refresh(wanted, options);
        looked.push(...wanted);
        return missing;
      };
      const now = Date.now;
      Date.now = () => now() + jump;
      try {
        // The next regular look is 45 s off.
        await eventually(() => looked.length > 0, { what: "a look for the kite" });
        assertEquals(looked, [kite.kite.id]);
        assertEquals(registry.isKeptAlive(kite.kite.id, "connection"), true);
      } finally {
        Date.now = now;
      }
    });
  }
});

Deno.test("faults: a kite that was silent is back in the list after its next heartbeat", async () => {
  const liveness = { heartbeatInterval: 100, heartbeatGrace: 200 };
  await withRegistry(liveness, async (registry, storage) => {
    const kites = [registration(), registration()];
    const lastHeartbeat = {};
    for (const kite of kites) await registry.add(kite, "connection", lastHeartbeat);
    const listed = async () => (await storage.get({ name: "math" })).length;
    await eventually(async () => await listed() === 0, { what: "the end of the grace" });
    const thief = registration({ username: "mallory", id: kites[0]!.kite.id });
    await assertRejects(() => registry.add(thief, "http"), KiteError, "another user");
    registry.recordHeartbeat(lastHeartbeat);
    await eventually(async () => await listed() === 2, { what: "the kites" });
  });
});

Deno.test("faults: a heartbeat counts for every kite of its connection without a look at each", async () => {
  await using storage = new MemoryStorage();
  using registry = new Registry(storage, {}, () => {});
  const lastHeartbeat = {};
  for (let i = 0; i < 10_000; i++) await registry.add(registration(), "connection", lastHeartbeat);
  const start = performance.now();
  for (let i = 0; i < 200_000; i++) registry.recordHeartbeat(lastHeartbeat);
  // With a look at each kite this takes minutes.
  assert(performance.now() - start < 10_000);
  assertEquals(registry.size, 10_000);
});
