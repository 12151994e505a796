import { assert, assertEquals } from "@std/assert";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import type { TestKontrol, TestKontrolOptions } from "../../src/testing/mod.ts";
import { eventually } from "../support/eventually.ts";
import {
  baseOf,
  type Change,
  type Found,
  goQuery,
  httpRegistration,
  lineTo,
  post,
  startKontrol,
  TemporaryFolder,
} from "./support.ts";

const SHORT = { heartbeatInterval: 1_000, heartbeatGrace: 200, disconnectGrace: 0 };

/** A watch by hand: all that it was told, in order. */
async function watch(kontrol: TestKontrol, name: string) {
  const { line } = await lineTo(kontrol, "watcher");
  const messages: { error: unknown; err: unknown; result: Change }[] = [];
  const changes: string[] = [];
  const { kites, watcherID } = await line.tell<{ kites: Found[]; watcherID: string }>("getKites", {
    query: goQuery({ name }),
    watchCallback: (message: { error: unknown; err: unknown; result: Change }) => {
      messages.push(message);
      changes.push(`${message.result.action} ${message.result.kite.id} ${message.result.url}`);
    },
    who: null,
  });
  return { line, kites, watcherID, messages, changes };
}

async function register(kontrol: TestKontrol, url = "http://127.0.0.1:1/kite", id?: string) {
  const body = await httpRegistration(kontrol, id === undefined ? {} : { id });
  assertEquals((await post(`${baseOf(kontrol)}/register`, { ...body, url })).status, 200);
  return body.kite.id;
}

Deno.test("watch: the list first, then each change once, in the fields that kite.js reads", async () => {
  await using kontrol = await startKontrol({ liveness: SHORT });
  const there = await register(kontrol);
  const watcher = await watch(kontrol, "math");
  assertEquals(watcher.kites.map(({ kite }) => kite.id), [there]);
  assertEquals(typeof watcher.watcherID, "string");
  const late = await kontrol.newKite("math");
  await late.register("http://127.0.0.1:2/kite");
  await late.registerOnce("http://127.0.0.1:2/kite");
  await late.registerOnce("http://127.0.0.1:3/kite");
  await kontrol.newKite("other").then((kite) => kite.register("http://127.0.0.1:4/kite"));
  await late.close();
  await eventually(() => watcher.changes.length >= 4, { withinMs: 4_000 });
  assertEquals(watcher.changes, [
    `REGISTER ${late.id} http://127.0.0.1:2/kite`,
    `REGISTER ${late.id} http://127.0.0.1:3/kite`,
    `DEREGISTER ${late.id} http://127.0.0.1:3/kite`,
    `DEREGISTER ${there} http://127.0.0.1:1/kite`,
  ], "the first goes for want of heartbeats, and no heartbeat is an event");
  for (const { error, err, result } of watcher.messages) {
    assertEquals([error, err, typeof result.token], [null, null, "string"]);
    assertEquals(result.token === "", result.action === "DEREGISTER");
    assertEquals(Object.keys(result).sort(), ["action", "kite", "token", "url"]);
  }
});

Deno.test("watch: cancelled or disconnected, it is over", async () => {
  await using kontrol = await startKontrol();
  const metrics = async () =>
    (await (await fetch(`${baseOf(kontrol)}/metrics`)).text()).match(/kontrol_watchers (\d+)/)?.[1];
  const cancelled = await watch(kontrol, "math");
  const cut = await watch(kontrol, "math");
  const stays = await watch(kontrol, "math");
  assertEquals(await metrics(), "3");
  assertEquals(await cancelled.line.tell("cancelWatcher", cancelled.watcherID), null);
  cut.line.close();
  await eventually(async () => await metrics() === "1");
  await register(kontrol);
  await eventually(() => stays.changes.length === 1);
  await cancelled.line.tell("kite.ping");
  assertEquals([cancelled.changes, cut.changes], [[], []]);
});

Deno.test("watch: kite.js's name for the callback, and a slow watcher's order", async () => {
  await using kontrol = await startKontrol();
  const { line } = await lineTo(kontrol, "watcher");
  const urls: string[] = [];
  await line.tell("getKites", {
    query: { name: "math" },
    watchHandler: async ({ result }: { result: Change }) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
      urls.push(result.url);
    },
  });
  const id = await register(kontrol, "http://127.0.0.1:1000/kite");
  for (let i = 1001; i < 1050; i++) await register(kontrol, `http://127.0.0.1:${i}/kite`, id);
  await eventually(() => urls.length >= 50);
  assertEquals(urls, Array.from({ length: 50 }, (_, i) => `http://127.0.0.1:${1000 + i}/kite`));
});

Deno.test("watch: across two Kontrols of one file nothing is missed, none doubled, all in order", async () => {
  await using folder = new TemporaryFolder();
  const options = (): TestKontrolOptions => ({
    storage: new SqliteStorage({ path: `${folder.path}/kontrol.db`, pollInterval: 25 }),
    liveness: { disconnectGrace: 0 },
  });
  await using one = await startKontrol(options());
  await using two = await startKontrol({ ...options(), pair: one.pair });
  const watchers = [await watch(one, "math"), await watch(two, "math")];
  const ids: string[] = [];
  for (let i = 0; i < 20; i++) {
    const kontrol = i % 2 === 0 ? one : two;
    const id = await register(kontrol, "http://127.0.0.1:1/kite");
    await register(kontrol, "http://127.0.0.1:2/kite", id);
    ids.push(id);
  }
  const kite = await two.newKite("math");
  await kite.register("http://127.0.0.1:3/kite");
  await kite.close();
  const gone = (changes: readonly string[]) =>
    changes.some((text) => text.startsWith("DEREGISTER"));
  for (const { changes, kites } of watchers) {
    assertEquals(kites, []);
    await eventually(() => gone(changes), { what: "the last change" });
    for (const id of [...ids]) {
      assertEquals(changes.filter((text) => text.includes(id)), [
        `REGISTER ${id} http://127.0.0.1:1/kite`,
        `REGISTER ${id} http://127.0.0.1:2/kite`,
      ]);
    }
    assertEquals(changes.filter((text) => text.includes(kite.id)), [
      `REGISTER ${kite.id} http://127.0.0.1:3/kite`,
      `DEREGISTER ${kite.id} http://127.0.0.1:3/kite`,
    ]);
  }
});

Deno.test("watch: one that begins amid changes misses none and doubles none", async () => {
  await using kontrol = await startKontrol();
  let isOver = false;
  const known = new Map<string, string>();
  const churn = (async () => {
    const ids: string[] = [];
    for (let i = 0; !isOver; i++) {
      const id = ids.length < 5 ? undefined : ids[i % 5];
      const url = `http://127.0.0.1:${1 + i % 60_000}/kite`;
      const registered = await register(kontrol, url, id);
      if (id === undefined) ids.push(registered);
      known.set(registered, url);
    }
  })();
  const watchers: Awaited<ReturnType<typeof watch>>[] = [];
  for (let i = 0; i < 8; i++) watchers.push(await watch(kontrol, "math"));
  isOver = true;
  await churn;
  for (const { kites, messages } of watchers) {
    const state = new Map(kites.map(({ kite, url }) => [kite.id, url]));
    await eventually(() => {
      const now = new Map(state);
      for (const { result } of messages) now.set(result.kite.id, result.url);
      return [...known].every(([id, url]) => now.get(id) === url);
    }, { what: "the present state" });
    for (const { result: { kite, url } } of messages) {
      assert(state.get(kite.id) !== url, "no change is told that is known already");
      state.set(kite.id, url);
    }
  }
});

Deno.test("watch: so many on one connection and no more", async () => {
  await using kontrol = await startKontrol();
  const { line } = await lineTo(kontrol, "watcher");
  const argument = { query: { name: "math" }, watchCallback: () => {} };
  const ids: string[] = [];
  for (let i = 0; i < 256; i++) {
    ids.push((await line.tell<{ watcherID: string }>("getKites", argument)).watcherID);
  }
  const type = await line.tell("getKites", argument).then(() => "none", (error) => error.type);
  assertEquals(type, "limitError");
  await line.tell("cancelWatcher", ids[0]);
  await line.tell("getKites", argument);
});
