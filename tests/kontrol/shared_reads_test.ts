import { assertEquals, assertRejects } from "@std/assert";
import { SharedReads } from "../../kontrol/shared_reads.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import type { Registration } from "../../kontrol/storage/storage.ts";
import type { GetOptions } from "../../kontrol/storage/storage.ts";
import type { KontrolQuery } from "../../src/protocol/query.ts";

/** A storage that counts reads, and completes each when the test opens its gate. */
class GatedStorage extends MemoryStorage {
  gets = 0;
  limits: (number | undefined)[] = [];
  readonly gates: PromiseWithResolvers<void>[] = [];

  override async get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]> {
    this.gets++;
    this.limits.push(options?.limit);
    const found = await super.get(query, options);
    const gate = Promise.withResolvers<void>();
    this.gates.push(gate);
    await gate.promise;
    return found;
  }

  async open(index: number): Promise<void> {
    while (this.gates[index] === undefined) await Promise.resolve();
    this.gates[index].resolve();
  }
}

/** Reads of a storage, shared by their query. */
function sharedReads(storage: GatedStorage) {
  const reads = new SharedReads<readonly Registration[]>();
  return {
    get: (query: KontrolQuery) =>
      reads.get(JSON.stringify(query), () => storage.get(query, { limit: 7 })),
  };
}

function registration(name: string): Registration {
  return {
    kite: {
      username: "testuser",
      environment: "test",
      name,
      version: "1.0.0",
      region: "local",
      hostname: "host",
      id: crypto.randomUUID(),
    },
    url: "http://127.0.0.1:3636/kite",
    keyId: crypto.randomUUID(),
  };
}

Deno.test("SharedReads: calls that are made before a delayed read starts share it", async () => {
  let start = (): void => {};
  const reads = new SharedReads<number>((begin) => start = begin);
  let count = 0;
  const read = (): Promise<number> => Promise.resolve(++count);
  const first = [reads.get("a", read), reads.get("a", read), reads.get("a", read)];
  assertEquals(count, 0);
  start();
  await Promise.resolve();
  const later = reads.get("a", read);
  assertEquals(await Promise.all(first), [1, 1, 1]);
  start();
  assertEquals(await later, 2, "a call during the read waits for the next one");
});

Deno.test("SharedReads: equal reads share the next one, and no result is older than its call", async () => {
  await using storage = new GatedStorage();
  const reads = sharedReads(storage);
  const first = reads.get({ name: "math" });
  await storage.upsert(registration("math"));
  const later = [reads.get({ name: "math" }), reads.get({ name: "math" })];
  const other = reads.get({ name: "echo" });
  await storage.open(0);
  assertEquals((await first).length, 0);
  await storage.open(1);
  assertEquals((await other).length, 0);
  await storage.open(2);
  assertEquals((await Promise.all(later)).map(({ length }) => length), [1, 1]);
  assertEquals(storage.gets, 3);
  assertEquals(storage.limits, [7, 7, 7]);

  const afresh = reads.get({ name: "math" });
  await storage.open(3);
  assertEquals((await afresh).length, 1);
});

Deno.test("SharedReads: a failed read fails only for the calls that share it", async () => {
  await using storage = new GatedStorage();
  const reads = sharedReads(storage);
  const first = reads.get({ name: "math" });
  const second = [reads.get({ name: "math" }), reads.get({ name: "math" })];
  while (storage.gates.length === 0) await Promise.resolve();
  storage.gates[0]!.reject(new Error("the storage is unavailable"));
  await assertRejects(() => first, Error, "unavailable");
  await storage.open(1);
  assertEquals(await Promise.all(second), [[], []]);
});
