import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import { KiteError } from "../../../src/protocol/errors.ts";
import { TEST_LOCK } from "../../../tools/paths.ts";
import { eventually } from "../../support/eventually.ts";
import { TestProcess } from "../../support/process.ts";
import { assertFollows, listen } from "./contract_watch.ts";
import { ids, PAIR, registration } from "./fixture.ts";

const WRITER = new URL("./sqlite_writer.ts", import.meta.url);
const WITHIN = 10_000;

async function withFile(body: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await body(`${directory}/kontrol.db`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("sqlite: data survives a restart, and only its owner can read it", async () => {
  await withFile(async (path) => {
    const kite = registration();
    {
      await using storage = new SqliteStorage({ path });
      await storage.keyPairs.add(PAIR);
      await storage.upsert(kite);
      for (const file of [path, `${path}-wal`, `${path}-shm`]) {
        assertEquals(((await Deno.stat(file)).mode ?? 0) & 0o777, 0o600, file);
      }
    }
    await using again = new SqliteStorage({ path });
    assertEquals(ids(await again.get({ id: kite.kite.id })), [kite.kite.id]);
    assertEquals((await again.keyPairs.byId(PAIR.id))?.private, PAIR.private);
    assertEquals(
      await again.delete(kite.kite.id, { ifOurs: true }),
      false,
      "another storage object added it",
    );
  });
});

Deno.test("sqlite: waits for a lock until the timeout without blocking the event loop", async () => {
  await withFile(async (path) => {
    await using storage = new SqliteStorage({ path, operationTimeout: 500 });
    await storage.keyPairs.add(PAIR);
    const locker = new DatabaseSync(path);
    locker.exec("BEGIN IMMEDIATE");
    let turns = 0;
    const timer = setInterval(() => turns++, 5);
    const begin = performance.now();
    const error = await assertRejects(() => storage.upsert(registration()), KiteError);
    const took = performance.now() - begin;
    assertEquals([error.type, error.code], ["storageError", "timeout"]);
    assert(took > 300 && took < 2_000, `it took ${took} ms`);
    assert(turns > 20, `the event loop had ${turns} turns`);
    assertEquals(await storage.get({ name: "math" }), [], "reads work meanwhile");

    setTimeout(() => locker.exec("COMMIT"), 100);
    await storage.upsert(registration());
    clearInterval(timer);
    locker.close();
  });
});

Deno.test("sqlite: refuses other files, and databases of newer versions", async () => {
  await withFile(async (path) => {
    await Deno.writeTextFile(path, "this is no database ".repeat(100));
    const error = assertThrows(() => new SqliteStorage({ path }), KiteError);
    assertEquals([error.type, error.code], ["storageError", "failed"]);
    assert(error.message.includes("not a database"), error.message);
    assertThrows(
      () => new SqliteStorage({ path: `${path}/x` }),
      KiteError,
      "Cannot open the database",
    );
  });
  await withFile(async (path) => {
    const newer = new DatabaseSync(path);
    newer.exec("PRAGMA user_version = 7");
    newer.close();
    assertThrows(() => new SqliteStorage({ path }), KiteError, "the file has schema version 7");
    await Promise.resolve();
  });
});

Deno.test("sqlite: a watch catches up although the events it missed were deleted", async () => {
  await withFile(async (path) => {
    await using one = new SqliteStorage({ path, pollInterval: 50 });
    await using two = new SqliteStorage({ path });
    await one.keyPairs.add(PAIR);
    const [first, second] = [registration(), registration()];
    await one.upsert(first);
    const all = await listen(one, { name: "math" });
    const pruner = new DatabaseSync(path);
    // In one turn, so that the watch cannot poll in between.
    const changes = [two.delete(first.kite.id), two.upsert(second)];
    pruner.exec("DELETE FROM event");
    pruner.close();
    await Promise.all(changes);
    await eventually(
      () => (assertFollows(all, new Map([[second.kite.id, second.url]])), true),
      { withinMs: WITHIN },
    );
  });
});

Deno.test("sqlite: delivers changes of another process to watches", async () => {
  await withFile(async (path) => {
    await using storage = new SqliteStorage({ path });
    await storage.keyPairs.add(PAIR);
    const all = await listen(storage, { name: "math" });
    await using writer = await TestProcess.start({
      program: Deno.execPath(),
      args: ["run", "--quiet", "--allow-read", "--allow-write", TEST_LOCK, WRITER.href, path],
      ready: (line) => line.startsWith("expected "),
    });
    let expected: Map<string, string> | undefined;
    writer.onLine((line) => {
      if (line.startsWith("expected ")) expected = new Map(JSON.parse(line.slice(9)));
    });
    await storage.upsert(registration({ name: "other" }));
    await eventually(
      () => (assertFollows(all, expected ?? new Map([["never", ""]])), true),
      { withinMs: WITHIN },
    );
    assertEquals(all.events.length, 125, "50 kites registered and moved, and 25 were removed");
  });
});

Deno.test("sqlite: answers include what another process refreshes or changes", async () => {
  await withFile(async (path) => {
    await using one = new SqliteStorage({ path, timeToLive: 500 });
    await using two = new SqliteStorage({ path, timeToLive: 500 });
    await one.keyPairs.add(PAIR);
    const kite = registration();
    await one.upsert(kite);
    assertEquals(ids(await two.get({ name: "math" })), [kite.kite.id]);
    for (let round = 0; round < 6; round++) {
      await new Promise((resolve) => setTimeout(resolve, 150));
      assertEquals(await one.refresh([kite.kite.id]), []);
      assertEquals(ids(await two.get({ name: "math" })), [kite.kite.id]);
    }
    const keyId = crypto.randomUUID();
    await one.upsert({ ...kite, keyId });
    assertEquals((await two.get({ name: "math" }))[0]?.keyId, keyId);
    assertEquals([...await two.count()], [[kite.kite.environment, 1]]);

    // Also what changes the table without this library.
    const database = new DatabaseSync(path);
    database.exec("DELETE FROM registration");
    database.close();
    assertEquals(await two.get({ name: "math" }), []);
  });
});

Deno.test("sqlite: a database of the former version loses its indexes, and works", async () => {
  await withFile(async (path) => {
    const kite = registration();
    {
      await using storage = new SqliteStorage({ path });
      await storage.upsert(kite);
    }
    const database = new DatabaseSync(path);
    database.exec("CREATE INDEX registration_name ON registration (name, username)");
    database.exec("PRAGMA user_version = 3");
    database.close();
    await using storage = new SqliteStorage({ path });
    assertEquals(ids(await storage.get({ name: "math" })), [kite.kite.id]);
    const again = new DatabaseSync(path);
    const names = again.prepare("SELECT name FROM sqlite_master WHERE type = 'index'").all();
    again.close();
    assertEquals(names.some(({ name }) => name === "registration_name"), false);
  });
});
