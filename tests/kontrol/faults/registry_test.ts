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

/** Runs `body` with a registry on an SQLite file, which another connection can lock. */
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

Deno.test("faults: a kite that returns while its removal is delayed stays registered", async () => {
  await withRegistry({ disconnectGrace: 0 }, async (registry, storage, locker) => {
    for (let round = 0; round < 5; round++) {
      const kites = [registration(), registration(), registration()];
      const before = {};
      for (const kite of kites) await registry.add(kite, "connection", before);
      locker.exec("BEGIN IMMEDIATE");
      for (const { kite } of kites) registry.disconnected(kite.id, before);
      // By now the removals wait longer between attempts, so later operations overtake them.
      await new Promise((resolve) => setTimeout(resolve, 120));
      const after = {};
      const back = kites.map((kite) => registry.add(kite, "connection", after));
      await new Promise((resolve) => setTimeout(resolve, 5));
      locker.exec("COMMIT");
      await Promise.all(back);
      await registry.sweep();
      // A sweep may still be running.
      await new Promise((resolve) => setTimeout(resolve, 120));
      const found = await storage.get({ name: "math" });
      assertEquals(ids(found), ids(kites));
      for (const { kite } of kites) registry.disconnected(kite.id, after);
      await eventually(async () => (await storage.get({ name: "math" })).length === 0);
    }
  });
});

Deno.test("faults: kites that the storage lost are added again by the next sweep after a recheck", async () => {
  await withRegistry({}, async (registry, storage) => {
    const kites = Array.from({ length: 100 }, () => registration());
    for (const kite of kites) await registry.add(kite, "connection", {});
    for (const { kite } of kites) await storage.delete(kite.id);
    await registry.sweep();
    assertEquals(await storage.get({ name: "math" }), [], "without a recheck, nothing is read");
    registry.recheck();
    await eventually(async () => (await storage.get({ name: "math" })).length === 100);
    assertEquals(ids(await storage.get({ name: "math" })), ids(kites));
  });
});

Deno.test("faults: a registration that completes after dispose is not tracked", async () => {
  await withRegistry({}, async (registry, _storage, locker) => {
    locker.exec("BEGIN IMMEDIATE");
    const added = registry.add(registration(), "http");
    registry[Symbol.dispose]();
    locker.exec("COMMIT");
    await added;
    assertEquals(registry.size, 0);
  });
});

/** Blocks the event loop. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

Deno.test("faults: time in which Kontrol did not run makes no kite late", async () => {
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
    // Delayed heartbeats arrive after the first sweep.
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

Deno.test("faults: a jump of the wall clock makes no kite late, and causes a check of all kites", async () => {
  const liveness = { heartbeatInterval: 500, heartbeatGrace: 5_000 };
  for (const jump of [-3_600_000, 3_600_000]) {
    await withRegistry(liveness, async (registry, storage) => {
      const kite = registration();
      await registry.add(kite, "connection", {});
      const refreshed: string[] = [];
      const refresh = storage.refresh.bind(storage);
      storage.refresh = async (wanted, options) => {
        const missing = await refresh(wanted, options);
        refreshed.push(...wanted);
        return missing;
      };
      const now = Date.now;
      Date.now = () => now() + jump;
      try {
        // The next regular refresh is 45 s away.
        await eventually(() => refreshed.length > 0, { what: "a refresh of the kite" });
        assertEquals(refreshed, [kite.kite.id]);
        assertEquals(registry.isKeptAlive(kite.kite.id, "connection"), true);
      } finally {
        Date.now = now;
      }
    });
  }
});

Deno.test("faults: a silent kite is listed again after its next heartbeat", async () => {
  const liveness = { heartbeatInterval: 100, heartbeatGrace: 200 };
  await withRegistry(liveness, async (registry, storage) => {
    const kites = [registration(), registration()];
    const lastHeartbeat = {};
    for (const kite of kites) await registry.add(kite, "connection", lastHeartbeat);
    const listed = async () => (await storage.get({ name: "math" })).length;
    await eventually(async () => await listed() === 0, { what: "end of the grace period" });
    const thief = registration({ username: "mallory", id: kites[0]!.kite.id });
    await assertRejects(() => registry.add(thief, "http"), KiteError, "another user");
    registry.recordHeartbeat(lastHeartbeat);
    await eventually(async () => await listed() === 2, { what: "the kites" });
  });
});

Deno.test("faults: a heartbeat counts for all kites of its connection at constant cost", async () => {
  await using storage = new MemoryStorage();
  using registry = new Registry(storage, {}, () => {});
  const lastHeartbeat = {};
  for (let i = 0; i < 10_000; i++) await registry.add(registration(), "connection", lastHeartbeat);
  const start = performance.now();
  for (let i = 0; i < 200_000; i++) registry.recordHeartbeat(lastHeartbeat);
  // A loop over the kites would take minutes.
  assert(performance.now() - start < 10_000);
  assertEquals(registry.size, 10_000);
});
