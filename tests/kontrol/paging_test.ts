import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import type { TestKontrol, TestKontrolOptions } from "../../src/testing/mod.ts";
import { eventually } from "../support/eventually.ts";
import {
  baseOf,
  type Change,
  connectTo,
  type Found,
  get,
  identity,
  startKontrol,
} from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";

/** A Kontrol with `count` kites in its storage. */
async function startWithKites(count: number, options: TestKontrolOptions = {}) {
  const storage = new MemoryStorage();
  const kontrol = await startKontrol({ storage, ...options });
  const keyId = (await kontrol.kontrol.keys.own()).id;
  const put = (id?: string, url = URL) =>
    storage.upsert({ kite: identity({ ...(id && { id }) }), url, keyId });
  for (let i = 0; i < count; i++) await put();
  return { kontrol, storage, put };
}

async function running(kontrol: TestKontrol): Promise<number> {
  const { text } = await get(`${baseOf(kontrol)}/metrics`);
  return Number(text.match(/^kontrol_watchers (\d+)$/m)?.[1]);
}

for (const count of [6_000, 25_000]) {
  Deno.test(`watchKites: lists ${count} kites, which do not fit in one message, then changes`, async () => {
    const { kontrol, put } = await startWithKites(count);
    await using _kontrol = kontrol;
    const kite = await kontrol.newKite("watcher");
    const ids = new Set<string>();
    const added = crypto.randomUUID();
    for await (const { action, kite: { id } } of kite.watchKites({ environment: "test" })) {
      assertEquals(action, "REGISTER");
      assert(!ids.has(id), "each kite is listed once");
      ids.add(id);
      if (ids.size === count) await put(added);
      if (id === added) break;
    }
    assertEquals(ids.size, count + 1);
    await eventually(async () => await running(kontrol) === 0, { what: "end of the watch" });
  });
}

Deno.test("getKites: a watch whose list does not fit in one message fails and ends", async () => {
  const { kontrol } = await startWithKites(9_000);
  await using _kontrol = kontrol;
  const { client } = await connectTo(kontrol);
  const argument = { query: { environment: "test" }, watchCallback: () => {} };
  const error = await assertRejects(() => client.tell("getKites", argument), KiteError);
  assertEquals([error.type, error.message], [
    "limitError",
    "Cannot watch with this query: the matching kites do not fit in one message; " +
    "narrow the query, or use pages",
  ]);
  assertEquals(await running(kontrol), 0);
  const one = { ...argument, query: { name: "kontrol" } };
  assertEquals((await client.tell<{ kites: Found[] }>("getKites", one)).kites.length, 1);
  assertEquals(await running(kontrol), 1);
});

Deno.test("getKites: an answer without a watch has as many kites as fit in one message", async () => {
  const { kontrol } = await startWithKites(2_000, { kite: { limits: { messageBytes: 100_000 } } });
  await using _kontrol = kontrol;
  const { client } = await connectTo(kontrol);
  const query = { environment: "test" };
  const { kites } = await client.tell<{ kites: Found[] }>("getKites", { query });
  assert(kites.length > 50 && kites.length < 1_000, `${kites.length} kites`);
});

Deno.test("moreKites: changes between two pages are delivered once, of listed and unlisted kites", async () => {
  const { kontrol, storage, put } = await startWithKites(2_500);
  await using _kontrol = kontrol;
  const { client } = await connectTo(kontrol);
  const state = new Map<string, string>();
  const changes: Change[] = [];
  const watchCallback = ({ result }: { result: Change }) => {
    changes.push(result);
    const { action, kite: { id }, url } = result;
    if (action === "DEREGISTER") assert(state.delete(id), "only known kites are removed");
    else {
      assert(state.get(id) !== url, "each change is new");
      state.set(id, url);
    }
  };
  interface Page {
    readonly kites: Found[];
    readonly watcherID: string;
    readonly more?: boolean;
  }
  const list = ({ kites }: Page) => {
    for (const { kite: { id }, url } of kites) {
      assert(!state.has(id), "each kite is listed once");
      state.set(id, url);
    }
  };
  const query = { environment: "test" };
  const first = await client.tell<Page>("getKites", { query, watchCallback, paged: true });
  list(first);
  assertEquals([first.more, state.size], [true, 1_000]);
  const all = (await storage.get(query)).map(({ kite }) => kite.id);
  const [listed, unlisted] = [
    all.filter((id) => state.has(id)),
    all.filter((id) => !state.has(id)),
  ];
  for (const id of [listed[0], unlisted[0], listed[1], unlisted[1]]) await storage.delete(id!);
  await put(listed[1], "http://127.0.0.1:2/kite");
  await put(unlisted[1], "http://127.0.0.1:2/kite");
  await put(listed[2], "http://127.0.0.1:3/kite");
  await put(unlisted[2], "http://127.0.0.1:3/kite");
  for (let more = true; more;) {
    const page = await client.tell<Page>("moreKites", first.watcherID);
    list(page);
    more = page.more === true;
  }
  const expected = new Map((await storage.get(query)).map(({ kite, url }) => [kite.id, url]));
  await eventually(() => {
    return state.size === expected.size &&
      [...expected].every(([id, url]) => state.get(id) === url);
  }, { what: "the current state" });
  assert(changes.length <= 6, `${changes.length} changes`);
  await client.tell("cancelWatcher", first.watcherID);
  const error = await assertRejects(() => client.tell("moreKites", first.watcherID), KiteError);
  assertEquals([error.type, error.message], ["argumentError", "no watcher with that id"]);
});

Deno.test("watchKites: kites removed during a long list are reported after a reconnect", async () => {
  const { kontrol, storage } = await startWithKites(3_000);
  await using _kontrol = kontrol;
  const kite = await kontrol.newKite("watcher");
  const ids = new Set<string>();
  let isCut = false;
  let gone = 0;
  const query = { environment: "test" };
  for await (const { action, kite: { id } } of kite.watchKites(query)) {
    if (action === "REGISTER") ids.add(id);
    else if (ids.delete(id)) gone++;
    if (ids.size === 1_500 && !isCut) {
      isCut = true;
      for (const connection of kontrol.kontrol.kite.connections) connection.close();
      for (const one of [...ids].slice(0, 10)) await storage.delete(one);
    }
    if (gone === 10 && ids.size === 2_990) break;
  }
  const present = (await storage.get(query)).map((one) => one.kite.id);
  assertEquals([...ids].sort(), present.sort());
});
