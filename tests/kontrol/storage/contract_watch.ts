import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../../src/protocol/errors.ts";
import type { Storage, StorageEvent, Watch } from "../../../kontrol/storage/storage.ts";
import type { KontrolQuery } from "../../../src/protocol/query.ts";
import { eventually } from "../../support/eventually.ts";
import { type Fixture, ids, registration, storageTest } from "./fixture.ts";

/** A watch, and what it has heard. */
export interface Heard {
  readonly watch: Watch;
  readonly events: StorageEvent[];
}

/** Watches, and keeps every event. */
export async function listen(storage: Storage, query: KontrolQuery): Promise<Heard> {
  const events: StorageEvent[] = [];
  let isCurrentKnown = false;
  const watch = await storage.watch(query, (event) => {
    assert(isCurrentKnown, "no event comes before the current list");
    events.push(event);
  });
  isCurrentKnown = true;
  return { watch, events };
}

/** Fails unless what was heard, one change after the other, makes sense and ends at `expected`. */
export function assertFollows({ watch, events }: Heard, expected: Map<string, string>): void {
  const state = new Map(watch.current.map(({ kite, url }) => [kite.id, url]));
  for (const { action, registration: { kite, url } } of events) {
    if (action === "REGISTER") {
      assert(state.get(kite.id) !== url, "REGISTER says something new");
      state.set(kite.id, url);
    } else {
      assert(state.delete(kite.id), "DEREGISTER follows a REGISTER");
    }
  }
  assertEquals(new Map([...state].sort()), new Map([...expected].sort()));
}

const WITHIN = 10_000;

async function heard({ events }: Heard, count: number): Promise<void> {
  await eventually(() => events.length >= count, {
    withinMs: WITHIN,
    what: `event ${count} of ${JSON.stringify(events)}`,
  });
}

/** Registers what every kind of storage tells its watchers. */
export function testWatch(fixture: Fixture): void {
  storageTest(fixture, "tells watchers what is there and what changes", async (storage) => {
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
    await heard(all, 5);
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

  storageTest(fixture, "stops telling when asked to", async (storage) => {
    const stopped = await listen(storage, { name: "math" });
    const controller = new AbortController();
    const aborted: StorageEvent[] = [];
    await storage.watch({ name: "math" }, (event) => aborted.push(event), {
      signal: controller.signal,
    });
    const going = await listen(storage, { name: "math" });
    await storage.upsert(registration());
    await Promise.all([heard(stopped, 1), heard(going, 1)]);
    await eventually(() => aborted.length === 1);
    stopped.watch.stop();
    stopped.watch.stop();
    controller.abort();
    await storage.upsert(registration());
    await heard(going, 2);
    assertEquals([stopped.events.length, aborted.length], [1, 1]);
    going.watch.stop();

    const later = await listen(storage, { name: "math" });
    assertEquals(later.watch.current.length, 2, "a first watch after the last begins anew");
    await storage.upsert(registration());
    await heard(later, 1);
    await assertRejects(() => storage.watch({}, () => {}), KiteError, "all query fields are empty");
  });

  storageTest(fixture, "tells the others when a listener throws", async (storage) => {
    const thrown: string[] = [];
    await storage.watch({ name: "math" }, () => {
      thrown.push("once");
      throw new Error("a listener's own fault");
    });
    const good = await listen(storage, { name: "math" });
    await storage.upsert(registration());
    await storage.upsert(registration());
    await heard(good, 2);
    assertEquals(thrown.length, 2);
  });

  storageTest(fixture, "tells watchers what expires", async (storage) => {
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
    await heard(all, 2);
    assertEquals(
      all.events.map(({ action, registration: { kite } }) => [action, kite.id]),
      [["DEREGISTER", gone.kite.id], ["DEREGISTER", kept.kite.id]],
    );
  }, { timeToLive: fixture.shortTimeToLive });

  storageTest(fixture, "misses nothing and doubles nothing", async (storage, data) => {
    await using other = fixture.isShared ? await data.open() : undefined;
    const storages = [storage, other ?? storage];
    const kites = Array.from({ length: 20 }, () => registration());
    const watches: Heard[] = [];
    const expected = new Map<string, string>();
    // Each kite has its own line of changes, all lines run at once, and watches begin in between.
    await Promise.all(kites.map(async (kite, line) => {
      const { id } = kite.kite;
      for (let step = 0; step < 6; step++) {
        const own = storages[(line + step) % 2] ?? storage;
        if ((line + step) % 3 === 2) {
          await own.delete(id);
          expected.delete(id);
        } else {
          const url = `http://127.0.0.1/${line}/${step}`;
          await own.upsert({ ...kite, url });
          expected.set(id, url);
        }
        if (line % 5 === 0 && step % 2 === 1) {
          watches.push(await listen(storages[line % 2] ?? storage, { name: "math" }));
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
    assertEquals(watches.map(({ events }) => events.length), counts, "and then all is quiet");
  });

  storageTest(fixture, "tells whoever asks of registrations that have gone", async (storage) => {
    const [gone, kept] = [registration(), registration()];
    const losses: (string | undefined)[] = [];
    const all = storage.onLoss((lost) => losses.push(lost?.kite.id));
    const ended: unknown[] = [];
    storage.onLoss((lost) => ended.push(lost?.kite.id))[Symbol.dispose]();
    await storage.upsert(gone);
    await storage.upsert(kept);
    // So that what goes next was known before.
    const { watch } = await listen(storage, { name: "math" });
    await storage.delete(gone.kite.id);
    await eventually(() => losses.length > 0, { withinMs: WITHIN });
    assertEquals(losses, [gone.kite.id]);
    watch.stop();
    await storage.delete(kept.kite.id);
    await eventually(() => losses.length > 1, { withinMs: WITHIN, what: "a loss without a watch" });
    all[Symbol.dispose]();
    assertEquals([losses, ended], [[gone.kite.id, kept.kite.id], []]);
  });

  if (!fixture.isShared) return;
  storageTest(fixture, "tells what another Kontrol changes", async (one, data) => {
    await using two = await data.open();
    const all = await listen(one, { username: "devrim" });
    const kite = registration();
    await two.upsert(kite);
    await heard(all, 1);
    await two.upsert({ ...kite, url: "http://127.0.0.1/moved" });
    await heard(all, 2);
    await two.refresh([kite.kite.id]);
    await two.delete(kite.kite.id);
    await heard(all, 3);
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
