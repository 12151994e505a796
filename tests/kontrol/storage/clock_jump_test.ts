import { assertEquals } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { MemoryStorage } from "../../../kontrol/storage/memory.ts";
import { SqliteStorage } from "../../../kontrol/storage/sqlite.ts";
import type { Storage, StorageOptions } from "../../../kontrol/storage/storage.ts";
import { eventually } from "../../support/eventually.ts";
import { ids, PAIR, registration } from "./fixture.ts";

const MINUTES = 60_000;
const HOURS = 60 * MINUTES;

const SHORT = 300;

/** A wall clock that a test can shift. */
class JumpingClock implements Disposable {
  readonly #now = Date.now;
  /** Milliseconds by which the clock is ahead. */
  shift = 0;

  constructor() {
    Date.now = () => this.#now.call(Date) + this.shift;
  }

  [Symbol.dispose](): void {
    Date.now = this.#now;
  }
}

/** A database file, removed at the end of its scope. */
class TestFile implements AsyncDisposable {
  readonly #directory = Deno.makeTempDirSync();
  readonly path = `${this.#directory}/kontrol.db`;

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#directory, { recursive: true });
  }
}

const OPEN: Record<string, (options: StorageOptions) => Storage> = {
  memory: (options) => new MemoryStorage(options),
  sqlite: (options) => new SqliteStorage({ path: ":memory:", ...options }),
};

async function found(storage: Storage): Promise<string[]> {
  return ids(await storage.get({ name: "math" }));
}

for (const [kind, open] of Object.entries(OPEN)) {
  for (const shift of [2 * MINUTES, -HOURS, 24 * HOURS]) {
    Deno.test(`${kind}: a clock jump of ${shift / MINUTES} minutes neither removes nor keeps a kite`, async () => {
      using clock = new JumpingClock();
      await using lasting = open({});
      await using brief = open({ timeToLive: SHORT });
      const kite = registration();
      for (const storage of [lasting, brief]) {
        await storage.keyPairs.add(PAIR);
        await storage.upsert(kite);
      }
      const events: string[] = [];
      await lasting.watch({ name: "math" }, ({ action }) => events.push(action));
      clock.shift = shift;
      assertEquals(await found(lasting), [kite.kite.id]);
      await eventually(async () => (await found(brief)).length === 0, { what: "expiry" });
      assertEquals(await lasting.refresh([kite.kite.id]), []);
      const later = registration();
      await lasting.upsert(later);
      clock.shift = 0;
      assertEquals(await found(lasting), [kite.kite.id, later.kite.id].sort());
      await eventually(() => events.length > 0);
      assertEquals(events, ["REGISTER"]);
    });
  }
}

for (const shift of [2 * MINUTES, -HOURS]) {
  Deno.test(`sqlite: a Kontrol that starts after a clock jump of ${shift / MINUTES} minutes agrees with one that started before`, async () => {
    using clock = new JumpingClock();
    await using file = new TestFile();
    await using before = new SqliteStorage(file);
    await before.keyPairs.add(PAIR);
    const [old, young] = [registration(), registration()];
    await before.upsert(old);
    clock.shift = shift;
    await using after = new SqliteStorage(file);
    await after.upsert(young);
    for (const storage of [before, after]) {
      assertEquals(await found(storage), [old.kite.id, young.kite.id].sort());
      assertEquals(await storage.refresh([old.kite.id, young.kite.id]), []);
    }
  });
}

Deno.test("sqlite: a kite without refreshes expires in all processes after a clock jump back", async () => {
  using clock = new JumpingClock();
  await using file = new TestFile();
  const options = { ...file, timeToLive: SHORT };
  await using before = new SqliteStorage(options);
  await before.keyPairs.add(PAIR);
  await before.upsert(registration());
  clock.shift = -HOURS;
  await using after = new SqliteStorage(options);
  for (const storage of [before, after]) {
    await eventually(async () => (await found(storage)).length === 0, { what: "expiry" });
  }
});

Deno.test("sqlite: an hour without any process counts towards expiry, a restart does not", async () => {
  using clock = new JumpingClock();
  await using file = new TestFile();
  {
    await using storage = new SqliteStorage(file);
    await storage.keyPairs.add(PAIR);
    await storage.upsert(registration());
  }
  {
    await using storage = new SqliteStorage(file);
    assertEquals((await found(storage)).length, 1, "after a restart");
  }
  clock.shift = HOURS;
  await using storage = new SqliteStorage(file);
  assertEquals(await found(storage), []);
});

Deno.test("sqlite: a database of version 1 is migrated, including times in the future", async () => {
  await using file = new TestFile();
  const kite = registration();
  {
    await using storage = new SqliteStorage(file);
    await storage.keyPairs.add(PAIR);
    await storage.upsert(kite);
  }
  {
    using database = new DatabaseSync(file.path);
    database.exec("DROP TABLE clock; PRAGMA user_version = 1");
    database.exec(`UPDATE registration SET updated_at = ${Date.now() + HOURS}`);
  }
  await using storage = new SqliteStorage({ ...file, timeToLive: 2_000 });
  assertEquals(await found(storage), [kite.kite.id]);
  await eventually(async () => (await found(storage)).length === 0, { what: "expiry" });
});
