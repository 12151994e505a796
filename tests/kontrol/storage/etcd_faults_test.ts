import { assert, assertEquals, assertRejects } from "@std/assert";
import { Etcd3 } from "etcd3";
import { EtcdStorage } from "../../../kontrol/storage/etcd.ts";
import type { Storage } from "../../../kontrol/storage/storage.ts";
import { KiteError } from "../../../src/protocol/errors.ts";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { assertFollows, listen } from "./contract_watch.ts";
import { ids, PAIR, registration } from "./fixture.ts";

const { ignore } = skipUnless("etcd");

/** Milliseconds, of which an election takes up to 2,000. */
const TIMEOUT = 6_000;
const WITHIN = 20_000;

const SHORT_TIMEOUT = 1_000;

function open({ endpoints }: TestEtcd, operationTimeout = TIMEOUT): EtcdStorage {
  return new EtcdStorage({ endpoints, operationTimeout, checkInterval: 500 });
}

/** Fails unless every operation fails in time with a storage error. */
async function assertUnavailable(storage: Storage): Promise<void> {
  const operations: Record<string, () => Promise<unknown>> = {
    get: () => storage.get({ name: "math" }),
    upsert: () => storage.upsert(registration()),
    refresh: () => storage.refresh([crypto.randomUUID()]),
    delete: () => storage.delete(crypto.randomUUID()),
    count: () => storage.count(),
    ready: () => storage.ready(),
    keyPairs: () => storage.keyPairs.list(),
  };
  await Promise.all(
    Object.entries(operations).map(async ([name, operation]) => {
      const begin = performance.now();
      const error = await assertRejects(operation, KiteError);
      const took = performance.now() - begin;
      assertEquals(error.type, "storageError", name);
      assert(["unreachable", "timeout"].includes(error.code), `${name}: ${error}`);
      assert(took < SHORT_TIMEOUT + 500, `${name} took ${took} ms`);
    }),
  );
}

Deno.test({
  name: "etcd: works with two of three members, fails without, and recovers",
  ignore,
  fn: async () => {
    await using cluster = await TestEtcd.start(3);
    await using storage = open(cluster);
    await using other = open(cluster);
    await using impatient = open(cluster, SHORT_TIMEOUT);
    await storage.keyPairs.add(PAIR);
    const expected = new Map<string, string>();
    const add = async (on: Storage): Promise<void> => {
      const kite = registration();
      await on.upsert(kite);
      expected.set(kite.kite.id, kite.url);
    };
    await add(storage);
    const all = await listen(storage, { name: "math" });

    // Stops each member once, and so those of the storage, the watch and the leader.
    for (let member = 0; member < 3; member++) {
      await cluster.killMember(member);
      await add(storage);
      await add(other);
      const [gone = ""] = expected.keys();
      assertEquals(await other.delete(gone), true);
      expected.delete(gone);
      assertEquals((await storage.get({ name: "math" })).length, expected.size);
      assertEquals(await storage.refresh([...expected.keys()]), []);
      await cluster.startMember(member);
    }
    await eventually(() => (assertFollows(all, expected), true), { withinMs: WITHIN });

    for (let member = 0; member < 3; member++) await cluster.killMember(member);
    await assertUnavailable(impatient);
    await assertRejects(() => impatient.watch({ name: "math" }, () => {}), KiteError, "etcd");
    await Promise.all([0, 1, 2].map((member) => cluster.startMember(member)));
    await eventually(() => storage.ready().then(() => true), { withinMs: WITHIN });
    await add(other);
    await add(storage);
    assertEquals(ids(await storage.get({ name: "math" })), [...expected.keys()].sort());
    await eventually(() => (assertFollows(all, expected), true), { withinMs: WITHIN });
  },
});

Deno.test({
  name: "etcd: switches to another member if one no longer answers",
  ignore,
  fn: async () => {
    await using cluster = await TestEtcd.start(3);
    await using storage = open(cluster);
    await storage.keyPairs.add(PAIR);
    const all = await listen(storage, { name: "math" });
    const expected = new Map<string, string>();
    for (let member = 0; member < 3; member++) {
      cluster.freezeMember(member, true);
      const kite = registration();
      // The others must first replace a suspended leader.
      await eventually(() => storage.upsert(kite).then(() => true), { withinMs: WITHIN });
      expected.set(kite.kite.id, kite.url);
      await eventually(() => (assertFollows(all, expected), true), { withinMs: WITHIN });
      cluster.freezeMember(member, false);
    }
  },
});

Deno.test({
  name: "etcd: reports a kite with a lost lease as missing",
  ignore,
  fn: async () => {
    await using cluster = await TestEtcd.start();
    await using storage = open(cluster);
    await storage.keyPairs.add(PAIR);
    const [lost, kept] = [registration(), registration()];
    await storage.upsert(lost);
    await storage.upsert(kept);
    const all = await listen(storage, { name: "math" });
    const client = new Etcd3({ hosts: [...cluster.endpoints] });
    const { kvs: [kv] } = await client.kv.range({
      key: new TextEncoder().encode(`/kites/${lost.kite.id}`) as Uint8Array as never,
    });
    await client.leaseClient.leaseRevoke({ ID: kv?.lease ?? "" });
    client.close();

    await eventually(() => all.events.length === 1, { withinMs: WITHIN });
    assertEquals(all.events[0]?.registration.kite, lost.kite);
    assertEquals(await storage.refresh([lost.kite.id, kept.kite.id]), [lost.kite.id]);
    await storage.upsert(lost);
    assertEquals(await storage.refresh([lost.kite.id, kept.kite.id]), []);
    await eventually(() => all.events.length === 2, { withinMs: WITHIN });
    assertEquals(all.events.map(({ action }) => action), ["DEREGISTER", "REGISTER"]);
  },
});

Deno.test({
  name: "etcd: restarts a watch whose revision was compacted",
  ignore,
  fn: async () => {
    await using cluster = await TestEtcd.start(1);
    await using storage = open(cluster);
    await using other = open(cluster);
    await storage.keyPairs.add(PAIR);
    const first = registration();
    await other.upsert(first);
    const all = await listen(storage, { name: "math" });
    const expected = new Map([[first.kite.id, first.url]]);

    await cluster.killMember(0);
    await cluster.startMember(0);
    // In the end the watch has all changes, whether it restarts before or after them.
    const client = new Etcd3({ hosts: [...cluster.endpoints] });
    for (let step = 0; step < 5; step++) {
      const kite = registration();
      await other.upsert(kite);
      expected.set(kite.kite.id, kite.url);
      const { header } = await client.kv.range({ key: new Uint8Array([1]) as never });
      await client.kv.compact({ revision: header.revision, physical: true });
    }
    client.close();
    await other.delete(first.kite.id);
    expected.delete(first.kite.id);
    await eventually(() => (assertFollows(all, expected), true), { withinMs: WITHIN });
  },
});

Deno.test({
  name: "etcd: uses the key layout of the Go Kontrol",
  ignore,
  fn: async () => {
    await using cluster = await TestEtcd.start(1);
    await using storage = open(cluster);
    const { kite, url, keyId } = registration();
    await storage.upsert({ kite, url, keyId });
    const client = new Etcd3({ hosts: [...cluster.endpoints] });
    const path = `/kites/devrim/production/math/1.0.0/europe/host-1/${kite.id}`;
    assertEquals(
      await client.getAll().prefix("/kites/").keys(),
      [`/kites/${kite.id}`, path].sort(),
    );
    assertEquals(await client.get(path).json(), { url, key_id: keyId });
    const leases = await client.leaseClient.leaseLeases();
    assertEquals(leases.leases.length, 1, "one lease per kite");
    await storage.delete(kite.id);
    assertEquals(await client.getAll().keys(), [], "all keys are removed");
    client.close();
  },
});
