import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { KiteError } from "../../../src/protocol/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { TestPgBouncer } from "../../support/pgbouncer.ts";
import { freePort } from "../../support/ports.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { testContract } from "./contract.ts";
import { ids, PAIR, registration } from "./fixture.ts";

const ignore = (await skipUnlessPostgres()).ignore || skipUnless("pgbouncer").ignore;
let server: TestPostgres | undefined;
let pooler: TestPgBouncer | undefined;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  server = await TestPostgres.start();
  // Consecutive statements of a client mostly run in different server sessions.
  pooler = await TestPgBouncer.start(server, "pool_mode = transaction", "server_round_robin = 1");
});

Deno.test.afterAll(async () => {
  await pooler?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

function running(): [TestPostgres, TestPgBouncer] {
  if (server === undefined || pooler === undefined) throw new Error("the servers do not run");
  return [server, pooler];
}

// Through PgBouncer in transaction mode, without server sessions per client.
testContract({
  kind: "postgres",
  isShared: true,
  shortTimeToLive: 500,
  expiryDelay: 300,
  ignore,
  create: async () => {
    const [direct, { host, port }] = running();
    const { username } = direct;
    const database = await direct.createDatabase();
    const connection = { host, port, username, database, pollInterval: 200, connections: 4 };
    return {
      open: (options) => Promise.resolve(new PostgresStorage({ ...connection, ...options })),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  },
});

for (const mode of ["session", "transaction", "statement"]) {
  Deno.test({
    name: `postgres: works through PgBouncer in ${mode} mode, together with a direct connection`,
    ignore,
    fn: async () => {
      const [direct] = running();
      const { username } = direct;
      await using bouncer = await TestPgBouncer.start(direct, `pool_mode = ${mode}`);
      const database = await direct.createDatabase();
      await using one = new PostgresStorage({ ...bouncer, username, database });
      const { host, port } = direct;
      await using two = new PostgresStorage({ host, port, username, database });
      await one.keyPairs.add(PAIR);
      const events: string[] = [];
      for (const storage of [one, two]) {
        await storage.watch({ name: "math" }, ({ action }) => events.push(action));
      }
      for (const storage of [one, two]) {
        events.length = 0;
        const kite = registration();
        await storage.upsert(kite);
        for (const each of [one, two]) assertEquals(ids(await each.get(kite.kite)), [kite.kite.id]);
        await eventually(() => events.length === 2, { withinMs: 20_000, what: "two events" });
        assertEquals(await storage.refresh([kite.kite.id]), []);
        assertEquals(await storage.delete(kite.kite.id), true);
        await eventually(() => events.length === 4, { withinMs: 20_000, what: "four events" });
        assertEquals(events, ["REGISTER", "REGISTER", "DEREGISTER", "DEREGISTER"]);
      }
    },
  });
}

Deno.test({
  name: "postgres: roles with different time zones see the same kites",
  ignore,
  fn: async () => {
    const [{ host, port, username: owner }, bouncer] = running();
    const database = await running()[0].createDatabase();
    const zones = ["Asia/Tokyo", "America/Los_Angeles", "UTC"];
    const roles = zones.map((zone) => `role_${zone.replace(/\W/g, "_").toLowerCase()}`);
    for (const [place, role] of roles.entries()) {
      await running()[0].run(
        "postgres",
        `create role ${role} superuser login; alter role ${role} set timezone = '${zones[place]}'`,
      );
    }
    await using stack = new AsyncDisposableStack();
    const at = { host, port, database };
    const storages = [owner, ...roles].map((username) => {
      return stack.use(new PostgresStorage({ ...at, username }));
    });
    storages.push(stack.use(new PostgresStorage({ ...bouncer, database, username: owner })));
    await storages[0]!.keyPairs.add(PAIR);
    const expected: string[] = [];
    for (const storage of storages) {
      const kite = registration();
      await storage.upsert(kite);
      expected.push(kite.kite.id);
    }
    for (const storage of storages) {
      assertEquals(ids(await storage.get({ name: "math" })), [...expected].sort());
      assertEquals(await storage.refresh(expected), []);
    }
    await assertZones(running()[0], database);
  },
});

/** Fails unless the rows have times in the server's time zone, as the Go Kontrol writes them. */
async function assertZones(server: TestPostgres, database: string): Promise<void> {
  const statement = `select 1 from kite.kite
    where abs(extract(epoch from (updated_at - (now() at time zone 'utc')))) > 60`;
  assertEquals(await server.run(database, statement), []);
}

Deno.test("postgres: reports that Deno has no permission for a Unix socket", async () => {
  const at = { host: "/nowhere", username: "kontrol", database: "kite" };
  await using storage = new PostgresStorage(at);
  await assertRejects(() => storage.ready(), KiteError, "Cannot connect to the socket /nowhere/");
});

Deno.test("postgres: reports at once, with its address, that no server answers", async () => {
  const port = freePort();
  const at = { host: "127.0.0.1", port, username: "kontrol", database: "kite" };
  await using storage = new PostgresStorage(at);
  const begin = performance.now();
  const error = await assertRejects(() => storage.ready(), KiteError);
  assertEquals([error.type, error.code], ["storageError", "unreachable"]);
  assertMatch(error.message, new RegExp(`no PostgreSQL server answers at 127.0.0.1:${port} `));
  // The default timeout of an operation is 5 seconds.
  assertEquals(performance.now() - begin < 4_000, true, "without waiting for the timeout");
});
