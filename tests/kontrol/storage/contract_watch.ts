import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../../src/protocol/errors.ts";
import type { Storage, StorageEvent, Watch } from "../../../kontrol/storage/storage.ts";
import type { KontrolQuery } from "../../../src/protocol/query.ts";
import { eventually } from "../../support/eventually.ts";
import { type Fixture, ids, registration, storageTest } from "./fixture.ts";

/** A watch and its events. */
export interface RecordedWatch {
  readonly watch: Watch;
  readonly events: StorageEvent[];
}

/** Starts a watch, and records its events. */
export async function listen(storage: Storage, query: KontrolQuery): Promise<RecordedWatch> {
  const events: StorageEvent[] = [];
  let isCurrentKnown = false;
  const watch = await storage.watch(query, (event) => {
    assert(isCurrentKnown, "no event comes before the current list");
    events.push(event);
  });
  isCurrentKnown = true;
  return { watch, events };
}

/** Fails unless the events are consistent and lead from the current list to `expected`. */
export function assertFollows(
  { watch, events }: RecordedWatch,
  expected: Map<string, string>,
): void {
  const state = new Map(watch.current.map(({ kite, url }) => [kite.id, url]));
  for (const { action, registration: { kite, url } } of events) {
    if (action === "REGISTER") {
      assert(state.get(kite.id) !== url, "each REGISTER is a change");
      state.set(kite.id, url);
    } else {
      assert(state.delete(kite.id), "DEREGISTER follows a REGISTER");
    }
  }
  assertEquals(new Map([...state].sort()), new Map([...expected].sort()));
}

const WITHIN = 10_000;

async function waitForEvents({ events }: RecordedWatch, count: number): Promise<void> {
  await eventually(() => events.length >= count, {
    withinMs: WITHIN,
    what: `event ${count} of ${JSON.stringify(events)}`,
  });
}

/** Adds the tests of watches. */
export function testWatch(fixture: Fixture): void {
  storageTest(fixture, "delivers the current list and each change to watches", async (storage) => {
    const [first, second] = [registration(), registration({ version: "1.5.0" })];
    const others = [registration({ name: "other" }), registration({ version: "2.0.0" })];
    await storage.upsert(first);
    const all = await listen(storage, { name: "math", version: "< 2.0" });
    assertEquals(ids(all.watch.current), [first.kite.id]);
    assertEquals(all.watch.current[0]?.url, first.url);

    await storage.upsert(second);
    for (const other of others) await storage.upsert(other);
    await storage.upsert({ ...first, url: "http://127.0.0.1/moved" });
    await storage.refresh([first.kite.id, second.kite.id]);
    await storage.upsert(second);
    await storage.delete(second.kite.id);
    await storage.upsert(second);
    await storage.upsert({ ...first, kite: { ...first.kite, name: "gone" } });
    await waitForEvents(all, 5);
    assertEquals(
      all.events.map(({ action, registration: { kite, url } }) => [action, kite, url]),
      [
        ["REGISTER", second.kite, second.url],
        ["REGISTER", first.kite, "http://127.0.0.1/moved"],
        ["DEREGISTER", second.kite, second.url],
        ["REGISTER", second.kite, second.url],
        ["DEREGISTER", first.kite, "http://127.0.0.1/moved"],
      ],
    );
  });

  storageTest(fixture, "delivers nothing after a watch was stopped or aborted", async (storage) => {
    const stopped = await listen(storage, { name: "math" });
    const controller = new AbortController();
    const aborted: StorageEvent[] = [];
    await storage.watch({ name: "math" }, (event) => aborted.push(event), {
      signal: controller.signal,
    });
    const going = await listen(storage, { name: "math" });
    await storage.upsert(registration());
    await Promise.all([waitForEvents(stopped, 1), waitForEvents(going, 1)]);
    await eventually(() => aborted.length === 1);
    stopped.watch.stop();
    stopped.watch.stop();
    controller.abort();
    await storage.upsert(registration());
    await waitForEvents(going, 2);
    assertEquals([stopped.events.length, aborted.length], [1, 1]);
    going.watch.stop();

    const later = await listen(storage, { name: "math" });
    assertEquals(
      later.watch.current.length,
      2,
      "a new watch after the last one has the current list",
    );
    await storage.upsert(registration());
    await waitForEvents(later, 1);
    await assertRejects(() => storage.watch({}, () => {}), KiteError, "all query fields are empty");
  });

  storageTest(fixture, "delivers events to other listeners when one throws", async (storage) => {
    const thrown: string[] = [];
    await storage.watch({ name: "math" }, () => {
      thrown.push("once");
      throw new Error("an error of the listener");
    });
    const good = await listen(storage, { name: "math" });
    await storage.upsert(registration());
    await storage.upsert(registration());
    await waitForEvents(good, 2);
    assertEquals(thrown.length, 2);
  });

  storageTest(fixture, "delivers expiries to watches", async (storage) => {
    const [kept, gone] = [registration(), registration()];
    await storage.upsert(kept);
    await storage.upsert(gone);
    const all = await listen(storage, { name: "math" });
    const end = performance.now() + fixture.shortTimeToLive * 2 + fixture.expiryDelay + WITHIN;
    while (all.events.length === 0 && performance.now() < end) {
      assertEquals(await storage.refresh([kept.kite.id]), []);
      await new Promise((resolve) => setTimeout(resolve, fixture.shortTimeToLive / 10));
    }
    await storage.delete(kept.kite.id);
    await waitForEvents(all, 2);
    assertEquals(
      all.events.map(({ action, registration: { kite } }) => [action, kite.id]),
      [["DEREGISTER", gone.kite.id], ["DEREGISTER", kept.kite.id]],
    );
  }, { timeToLive: fixture.shortTimeToLive });

  storageTest(
    fixture,
    "delivers each of many concurrent changes exactly once",
    async (storage, data) => {
      await using other = fixture.isShared ? await data.open() : undefined;
      const storages = [storage, other ?? storage];
      const kites = Array.from({ length: 20 }, () => registration());
      const watches: RecordedWatch[] = [];
      const expected = new Map<string, string>();
      // All kites change concurrently, while watches start.
      await Promise.all(kites.map(async (kite, index) => {
        const { id } = kite.kite;
        for (let step = 0; step < 6; step++) {
          const own = storages[(index + step) % 2] ?? storage;
          if ((index + step) % 3 === 2) {
            await own.delete(id);
            expected.delete(id);
          } else {
            const url = `http://127.0.0.1/${index}/${step}`;
            await own.upsert({ ...kite, url });
            expected.set(id, url);
          }
          if (index % 5 === 0 && step % 2 === 1) {
            watches.push(await listen(storages[index % 2] ?? storage, { name: "math" }));
          }
        }
      }));
      await storage.upsert(registration({ name: "last" }));
      for (const watch of watches) {
        await eventually(() => {
          assertFollows(watch, expected);
          return true;
        }, { withinMs: WITHIN });
      }
      const counts = watches.map(({ events }) => events.length);
      await Promise.all(kites.map(({ kite }) => storage.refresh([kite.id])));
      await new Promise((resolve) => setTimeout(resolve, 300));
      assertEquals(watches.map(({ events }) => events.length), counts, "refreshes cause no events");
    },
  );

  storageTest(fixture, "reports removed registrations to loss listeners", async (storage) => {
    const [gone, kept] = [registration(), registration()];
    const losses: (string | undefined)[] = [];
    const all = storage.onLoss((lost) => losses.push(lost?.kite.id));
    const ended: unknown[] = [];
    storage.onLoss((lost) => ended.push(lost?.kite.id))[Symbol.dispose]();
    await storage.upsert(gone);
    await storage.upsert(kept);
    // Wait until the storage knows the registrations.
    const { watch } = await listen(storage, { name: "math" });
    await storage.delete(gone.kite.id);
    await eventually(() => losses.length > 0, { withinMs: WITHIN });
    assertEquals(losses, [gone.kite.id]);
    watch.stop();
    await storage.delete(kept.kite.id);
    await eventually(() => losses.length > 1, { withinMs: WITHIN, what: "loss without a watch" });
    all[Symbol.dispose]();
    assertEquals([losses, ended], [[gone.kite.id, kept.kite.id], []]);
  });

  if (!fixture.isShared) return;
  storageTest(fixture, "delivers changes of another Kontrol", async (one, data) => {
    await using two = await data.open();
    const all = await listen(one, { username: "devrim" });
    const kite = registration();
    await two.upsert(kite);
    await waitForEvents(all, 1);
    await two.upsert({ ...kite, url: "http://127.0.0.1/moved" });
    await waitForEvents(all, 2);
    await two.refresh([kite.kite.id]);
    await two.delete(kite.kite.id);
    await waitForEvents(all, 3);
    assertEquals(
      all.events.map(({ action, registration: { url } }) => [action, url]),
      [
        ["REGISTER", kite.url],
        ["REGISTER", "http://127.0.0.1/moved"],
        ["DEREGISTER", "http://127.0.0.1/moved"],
      ],
    );
  });
}
