import { assertEquals } from "@std/assert";
import { Etcd3 } from "etcd3";
import { DatabaseSync } from "node:sqlite";
import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import type { Storage } from "../../../kontrol/storage/storage.ts";
import { startTestKontrol } from "../../../src/testing/kontrol.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";

/**
 * Milliseconds within which a lost kite is listed again: much less than the regular refresh interval
 * of 45 seconds, and enough for a slow machine.
 */
const WITHIN = 15_000;

const withEtcd = skipUnless("etcd");
const withPostgres = await skipUnlessPostgres();

/** Registers a kite, makes the storage lose it, and waits until it is listed again. */
async function assertListedAgain(storage: Storage, lose: () => Promise<void>): Promise<void> {
  await using kontrol = await startTestKontrol({ storage, kite: { logLevel: "FATAL" } });
  const math = await kontrol.newKite("math");
  await math.register("http://127.0.0.1:1/kite");
  const listed = (): Promise<unknown[]> => storage.get({ name: "math" });
  assertEquals((await listed()).length, 1);
  // Wait until the watch knows the kite.
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  using _loss = storage.onLoss(() => resolve());
  await new Promise((wait) => setTimeout(wait, 1_000));
  await lose();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the storage reported no loss")), WITHIN);
  });
  await Promise.race([lost, late]).finally(() => clearTimeout(timer));
  await eventually(async () => (await listed()).length === 1, { withinMs: WITHIN });
  const { id } = kontrol.kontrol.kite;
  await eventually(async () => (await storage.get({ id })).length === 1, {
    withinMs: WITHIN,
    what: "Kontrol's own registration",
  });
}

async function postgresOf(server: TestPostgres): Promise<[PostgresStorage, string]> {
  const { host, port, username } = server;
  const database = await server.createDatabase();
  return [new PostgresStorage({ host, port, username, database }), database];
}

Deno.test({
  name: "faults: kites are listed again after a crash of PostgreSQL that no operation noticed",
  ...withPostgres,
  fn: async () => {
    await using server = await TestPostgres.start();
    const [storage] = await postgresOf(server);
    await assertListedAgain(storage, async () => {
      await server.stop({ asCrash: true });
      await server.restart();
    });
  },
});

for (const statement of ["delete from kite.kite", "truncate kite.kite"]) {
  Deno.test({
    name: `faults: connected kites are listed again after "${statement}"`,
    ...withPostgres,
    fn: async () => {
      await using server = await TestPostgres.start();
      const [storage, database] = await postgresOf(server);
      await assertListedAgain(storage, async () => void await server.run(database, statement));
    },
  });
}

Deno.test({
  name: "faults: connected kites are listed again after all leases in etcd were revoked",
  ...withEtcd,
  fn: async () => {
    await using cluster = await TestEtcd.start();
    await assertListedAgain(new EtcdStorage({ endpoints: cluster.endpoints }), async () => {
      const client = new Etcd3({ hosts: [...cluster.endpoints] });
      try {
        const { leases } = await client.leaseClient.leaseLeases();
        for (const { ID } of leases) await client.leaseClient.leaseRevoke({ ID });
      } finally {
        client.close();
      }
    });
  },
});

Deno.test("faults: a connected kite is listed again after its rows were deleted from SQLite", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const path = `${directory}/db`;
    await assertListedAgain(new SqliteStorage({ path }), () => {
      using other = new DatabaseSync(path);
      other.exec("DELETE FROM registration");
      return Promise.resolve();
    });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
