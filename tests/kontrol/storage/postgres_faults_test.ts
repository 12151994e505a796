import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import type { Storage } from "../../../kontrol/storage/storage.ts";
import { KiteError } from "../../../src/protocol/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { listen } from "./contract_watch.ts";
import { ids, PAIR, registration } from "./fixture.ts";

const { ignore } = await skipUnlessPostgres();

const TIMEOUT = 1_000;
const WITHIN = 10_000;

/** Opens a storage in a new database, or in `database`. */
async function open(server: TestPostgres, database?: string): Promise<PostgresStorage> {
  const { host, port, username } = server;
  return new PostgresStorage({
    host,
    port,
    username,
    database: database ?? await server.createDatabase(),
    operationTimeout: TIMEOUT,
    pollInterval: 200,
    connections: 4,
  });
}

/** Fails unless every operation fails in time with a storage error. */
async function assertUnavailable(storage: Storage, codes: readonly string[]): Promise<void> {
  const operations: Record<string, () => Promise<unknown>> = {
    get: () => storage.get({ name: "math" }),
    upsert: () => storage.upsert(registration()),
    refresh: () => storage.refresh([crypto.randomUUID()]),
    delete: () => storage.delete(crypto.randomUUID()),
    count: () => storage.count(),
    ready: () => storage.ready(),
    keyPairs: () => storage.keyPairs.list(),
  };
  await Promise.all(
    Object.entries(operations).map(async ([name, operation]) => {
      const begin = performance.now();
      const error = await assertRejects(operation, KiteError);
      const took = performance.now() - begin;
      assertEquals(error.type, "storageError", name);
      assert(codes.includes(error.code), `${name}: ${error.code}: ${error.message}`);
      assertMatch(error.message, /^Cannot [a-z ]+ \(postgres storage\): /);
      assert(took < TIMEOUT * 2 + 5_000, `${name} took ${took} ms`);
    }),
  );
}

Deno.test({
  name: "postgres: fails while the server is down, and recovers after its restart",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    await using storage = await open(server);
    await using early = await open(server);
    await storage.keyPairs.add(PAIR);
    const kite = registration();
    await storage.upsert(kite);
    const all = await listen(storage, { name: "math" });

    await server.stop();
    await assertUnavailable(storage, ["unreachable", "timeout"]);
    await assertUnavailable(early, ["unreachable", "timeout"]);
    await assertRejects(() => early.watch({ name: "math" }, () => {}), KiteError, "postgres");
    await server.restart();
    await eventually(() => storage.ready().then(() => true), { withinMs: WITHIN });
    await eventually(() => early.ready().then(() => true), { withinMs: WITHIN });
    assertEquals(ids(await storage.get({ name: "math" })), [kite.kite.id]);

    const later = registration();
    await storage.upsert(later);
    await eventually(() => all.events.length > 0, { withinMs: WITHIN, what: "the REGISTER" });
    assertEquals(all.events.map(({ action }) => action), ["REGISTER"]);
    assertEquals(all.events[0]?.registration.kite, later.kite);
  },
});

Deno.test({
  name: "postgres: delivers to watches that a crash of the server removed all registrations",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    await using storage = await open(server);
    await storage.keyPairs.add(PAIR);
    const kites = [registration(), registration()];
    for (const kite of kites) await storage.upsert(kite);
    const all = await listen(storage, { name: "math" });

    await server.stop({ asCrash: true });
    await server.restart();
    await eventually(() => all.events.length === 2, { withinMs: WITHIN });
    assertEquals(all.events.map(({ action }) => action), ["DEREGISTER", "DEREGISTER"]);
    assertEquals(
      await storage.refresh(kites.map(({ kite }) => kite.id)),
      kites.map(({ kite }) => kite.id),
    );
    assertEquals((await storage.keyPairs.list()).length, 1, "key pairs survive");
    for (const kite of kites) await storage.upsert(kite);
    await eventually(() => all.events.length === 4, { withinMs: WITHIN });
  },
});

Deno.test({
  name: "postgres: times out if the server no longer answers, and recovers",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    await using storage = await open(server);
    await storage.ready();
    await server.freeze(true);
    try {
      // A connection that took too long is closed, which fails the other operations on it.
      const codes = ["timeout", "unreachable"];
      await assertUnavailable(storage, codes);
      await assertUnavailable(storage, codes);
    } finally {
      await server.freeze(false);
    }
    await eventually(() => storage.ready().then(() => true), { withinMs: WITHIN });
  },
});

Deno.test({
  name: "postgres: a watch that lost its connection delivers the missed changes",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    const database = await server.createDatabase();
    await using one = await open(server, database);
    await using two = await open(server, database);
    await one.keyPairs.add(PAIR);
    const [first, second] = [registration(), registration()];
    await one.upsert(first);
    const all = await listen(one, { name: "math" });

    for (let round = 0; round < 3; round++) {
      // The watch misses the notifications of the following changes.
      await server.run(
        database,
        `select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()
          and (query ilike 'listen %' or query like '%n.total%')`,
      );
      await two.upsert({ ...second, url: `http://127.0.0.1/${round}` });
      await eventually(() => all.events.length === round + 1, { withinMs: WITHIN });
      assertEquals(all.events[round]?.registration.url, `http://127.0.0.1/${round}`);
    }
    await two.delete(first.kite.id);
    await eventually(() => all.events.length === 4, { withinMs: WITHIN });
    assertEquals(all.events[3]?.action, "DEREGISTER");
  },
});

Deno.test({
  name: "postgres: delivers a registration that is too long for a notification",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    await using storage = await open(server);
    await storage.keyPairs.add(PAIR);
    const all = await listen(storage, { name: "math" });
    const long = registration({}, `http://127.0.0.1/${"möglich/".repeat(1_000)}`);
    await storage.upsert(long);
    await eventually(() => all.events.length === 1, { withinMs: WITHIN });
    assertEquals(all.events[0]?.registration.url, long.url);
  },
});
