import { assert, assertEquals, assertRejects } from "@std/assert";
import { PostgresStorage } from "../../../kontrol/storage/postgres.ts";
import { KiteError } from "../../../src/protocol/errors.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { listen } from "./contract_watch.ts";
import { ids, PAIR, registration } from "./fixture.ts";

const { ignore } = await skipUnlessPostgres();

const WITHIN = 10_000;
const NOW = "(now() at time zone 'utc')";

/** The schema of the Go Kontrol, and a role with the permissions of its role. */
const GO_SCHEMA = `
  create role kontrol;
  create role go_application login in role kontrol;
  create schema kite;
  grant usage on schema kite to kontrol;
  create table kite.key (
    id uuid not null,
    public text not null,
    private text not null,
    created_at timestamptz(6) not null default ${NOW},
    deleted_at timestamptz(6),
    primary key (id),
    constraint key_public_unique unique (public),
    constraint key_private_unique unique (private),
    constraint key_created_at_lte_deleted_at_check check (created_at <= deleted_at)
  );
  create unlogged table kite.kite (
    username text not null, environment text not null, kitename text not null,
    version text not null, region text not null, hostname text not null,
    id uuid primary key, url text not null,
    created_at timestamptz not null default ${NOW},
    updated_at timestamptz not null default ${NOW},
    key_id uuid not null,
    constraint kite_key_id_fkey foreign key (key_id) references kite.key (id)
  );
  create index kite_updated_at_btree_idx on kite.kite (updated_at desc);
  grant select, insert, update on kite.key to kontrol;
  grant select, insert, update, delete on kite.kite to kontrol;
  insert into kite.key (id, public, private)
    values ('${crypto.randomUUID()}', 'kontrol-self', 'kontrol-self');
`;

/** The statement that the Go Kontrol runs every two minutes. */
const GO_CLEANER = `delete from kite.kite where updated_at < ${NOW} - 90 * interval '1 second'`;

async function open(
  server: TestPostgres,
  database: string,
  username: string,
): Promise<PostgresStorage> {
  const { host, port } = server;
  await Promise.resolve();
  return new PostgresStorage({ host, port, username, database, pollInterval: 200 });
}

Deno.test({
  name: "postgres: works in the Go Kontrol's tables, with its role and at the same time",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    const database = await server.createDatabase();
    await server.run(database, GO_SCHEMA);
    const before = await describe(server, database);
    const go = (sql: string): Promise<unknown[]> => server.run(database, sql, "go_application");
    await using storage = await open(server, database, "go_application");
    assertEquals(await storage.keyPairs.list(), [], "the placeholder row is not a key pair");
    await storage.keyPairs.add(PAIR);
    const missing = { ...registration(), keyId: crypto.randomUUID() };
    const error = await assertRejects(() => storage.upsert(missing), KiteError);
    assertEquals([error.type, error.code], ["argumentError", "noKeyPair"]);

    const ours = registration();
    await storage.upsert(ours);
    const all = await listen(storage, { name: "math" });
    // As the Go Kontrol does, without timestamps, which have defaults.
    const { kite, url } = registration();
    await go(`insert into kite.kite (username, environment, kitename, version, region, hostname, id,
      url, key_id) values ('${kite.username}', '${kite.environment}', '${kite.name}',
      '${kite.version}', '${kite.region}', '${kite.hostname}', '${kite.id}', '${url}', '${PAIR.id}')`);
    await eventually(() => all.events.length === 1, { withinMs: WITHIN, what: "Go's REGISTER" });
    assertEquals(all.events[0]?.registration.kite, kite);
    assertEquals(ids(await storage.get({ name: "math" })), [kite.id, ours.kite.id].sort());

    await go(GO_CLEANER);
    assertEquals((await storage.get({ name: "math" })).length, 2, "fresh rows stay");
    await go(
      `update kite.kite set url = 'http://moved/', updated_at = ${NOW} where id = '${kite.id}'`,
    );
    await eventually(() => all.events.length === 2, { withinMs: WITHIN, what: "Go's change" });
    assertEquals(all.events[1]?.registration.url, "http://moved/");

    await go(`update kite.kite set updated_at = updated_at - interval '100 seconds'
      where id = '${kite.id}'`);
    assertEquals(
      ids(await storage.get({ name: "math" })),
      [ours.kite.id],
      "expired rows are not read",
    );
    await eventually(() => all.events.length === 3, { withinMs: WITHIN, what: "the expiry" });
    await go(GO_CLEANER);
    await go(`delete from kite.kite where id = '${ours.kite.id}'`);
    await eventually(() => all.events.length === 4, { withinMs: WITHIN, what: "Go's deletion" });
    assertEquals(all.events.slice(2).map(({ action }) => action), ["DEREGISTER", "DEREGISTER"]);

    assertEquals(await storage.keyPairs.softDelete(PAIR.id), true);
    assertEquals(await describe(server, database), before, "the schema is unchanged");
  },
});

Deno.test({
  name: "postgres: creates tables that the Go Kontrol can use",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    const database = await server.createDatabase();
    await server.run(
      database,
      "create role kontrol; create role go_application login in role kontrol",
    );
    // Several Kontrols start at the same time.
    const storages = await Promise.all([1, 2, 3].map(() => open(server, database, "postgres")));
    await Promise.all(storages.map((storage) => storage.ready()));
    await Promise.all(storages.map((storage) => storage.keyPairs.add(PAIR)));
    const { kite, ...rest } = registration();
    await storages[0]?.upsert({ kite, ...rest });
    const [row] = await server.run(database, "select * from kite.kite", "go_application");
    assertEquals(Object.keys(row ?? {}), [
      ...["username", "environment", "kitename", "version", "region", "hostname", "id", "url"],
      ...["created_at", "updated_at", "key_id"],
    ]);
    await server.run(database, GO_CLEANER, "go_application");
    assertEquals(ids(await storages[1]?.get({ id: kite.id }) ?? []), [kite.id]);
    await server.run(
      database,
      `insert into kite.key (id, public, private) values ('${crypto.randomUUID()}', 'p', 's');
       update kite.key set deleted_at = ${NOW} where public = 'p'`,
      "go_application",
    );
    const deleted = await storages[2]?.keyPairs.byPublic("p");
    assert(
      Math.abs((deleted?.deletedAt ?? 0) - Date.now()) < WITHIN,
      "times of the Go Kontrol are read correctly",
    );
    const [{ persistence } = { persistence: "" }] = await server.run(
      database,
      "select relpersistence as persistence from pg_class where oid = 'kite.kite'::regclass",
    ) as { persistence: string }[];
    assertEquals(persistence, "u", "the table is unlogged");
    for (const storage of storages) await storage[Symbol.asyncDispose]();
  },
});

Deno.test({
  name: "postgres: reports that it lacks the permission to create the schema",
  ignore,
  fn: async () => {
    await using server = await TestPostgres.start();
    const database = await server.createDatabase();
    await server.run(database, "create role nobody_much login");
    await using storage = await open(server, database, "nobody_much");
    const error = await assertRejects(() => storage.ready(), KiteError);
    assertEquals([error.type, error.code], ["storageError", "failed"]);
    assert(error.message.includes("create the schema kite"), error.message);
    assert(error.message.includes("permission denied"), error.message);
  },
});

/** All columns, indexes and constraints of the schema, to detect changes. */
async function describe(server: TestPostgres, database: string): Promise<unknown[]> {
  return await server.run(
    database,
    `select table_name as name, column_name as part, ordinal_position::text as detail
       from information_schema.columns where table_schema = 'kite'
     union all select tablename, indexname, indexdef from pg_indexes where schemaname = 'kite'
     union all select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
       from pg_constraint where connamespace = 'kite'::regnamespace
     union all select oid::regclass::text, relkind::text, relacl::text
       from pg_class where relnamespace = 'kite'::regnamespace
     order by 1, 2, 3`,
  );
}
