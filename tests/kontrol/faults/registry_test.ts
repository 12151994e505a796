import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { type LivenessOptions, Registry } from "../../../kontrol/registry.ts";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
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
