import { assertEquals, assertRejects } from "@std/assert";
import { RecentReads } from "../../../kontrol/storage/recent_reads.ts";
import type { Registration } from "../../../kontrol/storage/storage.ts";
import { registration } from "./fixture.ts";

/** Returns a read that counts how often it ran. */
function counter(): { count: number; read: () => Promise<Registration[]> } {
  const counted = {
    count: 0,
    read: () => {
      counted.count++;
      return Promise.resolve([registration()]);
    },
  };
  return counted;
}

Deno.test("RecentReads: equal queries share a result until it is too old or cleared", async () => {
  const reads = new RecentReads(60_000);
  const counted = counter();
  const first = await reads.get("a", counted.read);
  first.pop();
  assertEquals((await reads.get("a", counted.read)).length, 1, "each caller has a list of its own");
  assertEquals(counted.count, 1);
  await reads.get("b", counted.read);
  assertEquals(counted.count, 2);
  reads.clear();
  await reads.get("a", counted.read);
  assertEquals(counted.count, 3);

  const short = new RecentReads(1);
  await short.get("a", counted.read);
  await new Promise((resolve) => setTimeout(resolve, 5));
  const late = counter();
  await short.get("a", late.read);
  assertEquals(late.count, 1);
});

Deno.test("RecentReads: with a freshness of 0, and after a failure, every query reads", async () => {
  const none = new RecentReads(0);
  const counted = counter();
  await none.get("a", counted.read);
  await none.get("a", counted.read);
  assertEquals(counted.count, 2);

  const reads = new RecentReads(60_000);
  await assertRejects(() => reads.get("a", () => Promise.reject(new Error("lost"))), Error, "lost");
  await reads.get("a", counted.read);
  assertEquals(counted.count, 3);
});

Deno.test("RecentReads: keeps at most 1,000 results", async () => {
  const reads = new RecentReads(60_000);
  const counted = counter();
  for (let i = 0; i < 1_100; i++) await reads.get(String(i), counted.read);
  await reads.get("0", counted.read);
  assertEquals(counted.count, 1_101);
  await reads.get("1099", counted.read);
  assertEquals(counted.count, 1_101);
});
