import { assert, assertEquals } from "@std/assert";
import { Etcd3 } from "etcd3";
import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import type { Registration } from "../../../kontrol/storage/storage.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { ids, registration } from "./fixture.ts";

const { ignore } = skipUnless("etcd");

/** A storage whose feed has started, so that it answers from memory. */
async function following(endpoints: readonly string[], freshness?: number): Promise<EtcdStorage> {
  const storage = new EtcdStorage({ endpoints, ...(freshness === undefined ? {} : { freshness }) });
  await storage.get({ name: "math" });
  // The first query starts the feed, which takes some round trips.
  for (let i = 0; i < 20; i++) {
    await storage.get({ name: "math" });
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return storage;
}

async function idsOf(storage: EtcdStorage): Promise<string[]> {
  return ids(await storage.get({ name: "math" }));
}

Deno.test({
  name: "etcd: answers from memory include own changes at once, and soon those of others",
  ignore,
  fn: async () => {
    await using etcd = await TestEtcd.start();
    await using one = await following(etcd.endpoints);
    await using two = await following(etcd.endpoints);
    const kites: Registration[] = [];
    for (let i = 0; i < 50; i++) {
      const kite = registration({ name: "math" }, `http://host:${i + 1}/kite`);
      kites.push(kite);
      await one.upsert(kite);
      assertEquals((await idsOf(one)).length, kites.length, "own changes are included at once");
    }
    await eventually(async () => (await idsOf(two)).length === kites.length, { withinMs: 500 });
    for (const { kite } of kites.splice(0, 25)) {
      await two.delete(kite.id);
      assertEquals((await idsOf(two)).includes(kite.id), false);
    }
    await eventually(async () => (await idsOf(one)).length === kites.length, { withinMs: 500 });
    assertEquals(await idsOf(one), await idsOf(two));
  },
});

Deno.test({
  name: "etcd: with freshness 0, an answer includes all earlier changes of others",
  ignore,
  fn: async () => {
    await using etcd = await TestEtcd.start();
    await using one = await following(etcd.endpoints, 0);
    await using two = await following(etcd.endpoints, 0);
    for (let i = 1; i <= 100; i++) {
      await one.upsert(registration({ name: "math" }, `http://host:${i}/kite`));
      assertEquals((await idsOf(two)).length, i);
    }
  },
});

Deno.test({
  name: "etcd: answers are correct while other programs write to the same etcd",
  ignore,
  fn: async () => {
    await using etcd = await TestEtcd.start();
    await using one = await following(etcd.endpoints, 0);
    await using two = await following(etcd.endpoints, 0);
    const stranger = new Etcd3({ hosts: [...etcd.endpoints] });
    try {
      for (let i = 1; i <= 30; i++) {
        await stranger.put("/elsewhere").value(String(i));
        await one.upsert(registration({ name: "math" }, `http://host:${i}/kite`));
        await stranger.put("/elsewhere").value(`${i}!`);
        assertEquals((await idsOf(two)).length, i);
      }
      const begin = performance.now();
      for (let i = 0; i < 50; i++) assertEquals((await idsOf(two)).length, 30);
      assert(
        performance.now() - begin < 2_000,
        "queries do not wait for revisions of other programs",
      );
    } finally {
      stranger.close();
    }
  },
});
