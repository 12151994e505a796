import { assert, assertEquals } from "@std/assert";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import type { TestKontrol, TestKontrolOptions } from "../../src/testing/mod.ts";
import { eventually } from "../support/eventually.ts";
import {
  baseOf,
  type Change,
  connectTo,
  type Found,
  goQuery,
  httpRegistration,
  post,
  startKontrol,
  TemporaryFolder,
} from "./support.ts";

const SHORT = { heartbeatInterval: 1_000, heartbeatGrace: 200, disconnectGrace: 0 };

/** Starts a watch directly, and records its messages in order. */
async function watch(kontrol: TestKontrol, name: string) {
  const { client } = await connectTo(kontrol, "watcher");
  const messages: { error: unknown; err: unknown; result: Change }[] = [];
  const changes: string[] = [];
  const { kites, watcherID } = await client.tell<{ kites: Found[]; watcherID: string }>(
    "getKites",
    {
      query: goQuery({ name }),
      watchCallback: (message: { error: unknown; err: unknown; result: Change }) => {
        messages.push(message);
        changes.push(`${message.result.action} ${message.result.kite.id} ${message.result.url}`);
      },
      who: null,
    },
  );
  return { client, kites, watcherID, messages, changes };
}

async function register(kontrol: TestKontrol, url = "http://127.0.0.1:1/kite", id?: string) {
  const body = await httpRegistration(kontrol, id === undefined ? {} : { id });
  assertEquals((await post(`${baseOf(kontrol)}/register`, { ...body, url })).status, 200);
  return body.kite.id;
}

Deno.test("watch: delivers the list first, then each change once, with the fields that kite.js reads", async () => {
  await using kontrol = await startKontrol({ liveness: SHORT });
  const present = await register(kontrol);
  const watcher = await watch(kontrol, "math");
  assertEquals(watcher.kites.map(({ kite }) => kite.id), [present]);
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
    `DEREGISTER ${present} http://127.0.0.1:1/kite`,
  ], "the first kite expires without heartbeats, and heartbeats are not events");
  for (const { error, err, result } of watcher.messages) {
    assertEquals([error, err, typeof result.token], [null, null, "string"]);
    assertEquals(result.token === "", result.action === "DEREGISTER");
    assertEquals(Object.keys(result).sort(), ["action", "kite", "token", "url"]);
  }
});

Deno.test("watch: ends when it is cancelled or its connection closes", async () => {
  await using kontrol = await startKontrol();
  const metrics = async () =>
    (await (await fetch(`${baseOf(kontrol)}/metrics`)).text()).match(/kontrol_watchers (\d+)/)?.[1];
  const cancelled = await watch(kontrol, "math");
  const cut = await watch(kontrol, "math");
  const stays = await watch(kontrol, "math");
  assertEquals(await metrics(), "3");
  assertEquals(await cancelled.client.tell("cancelWatcher", cancelled.watcherID), null);
  cut.client.close();
  await eventually(async () => await metrics() === "1");
  await register(kontrol);
  await eventually(() => stays.changes.length === 1);
  await cancelled.client.tell("kite.ping");
  assertEquals([cancelled.changes, cut.changes], [[], []]);
});

Deno.test("watch: accepts kite.js's name for the callback, and keeps the order for a slow callback", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol, "watcher");
  const urls: string[] = [];
  await client.tell("getKites", {
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

Deno.test("watch: delivers each change once and in order across two Kontrols on one file", async () => {
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

Deno.test("watch: a watch that starts during changes delivers each exactly once", async () => {
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
    }, { what: "the current state" });
    for (const { result: { kite, url } } of messages) {
      assert(state.get(kite.id) !== url, "each change is new");
      state.set(kite.id, url);
    }
  }
});

Deno.test("watch: one connection has at most 256 watches", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol, "watcher");
  const argument = { query: { name: "math" }, watchCallback: () => {} };
  const ids: string[] = [];
  for (let i = 0; i < 256; i++) {
    ids.push((await client.tell<{ watcherID: string }>("getKites", argument)).watcherID);
  }
  const type = await client.tell("getKites", argument).then(() => "none", (error) => error.type);
  assertEquals(type, "limitError");
  await client.tell("cancelWatcher", ids[0]);
  await client.tell("getKites", argument);
});
