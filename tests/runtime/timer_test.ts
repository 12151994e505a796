import { assert, assertEquals } from "@std/assert";
import { Timer } from "../../src/runtime/timer.ts";
import { eventually } from "../support/eventually.ts";

Deno.test("Timer: fires once after its delay, and never after clear", async () => {
  let fired = 0;
  const timer = new Timer(() => fired++, 5);
  const cleared = new Timer(() => fired += 10, 5);
  cleared.clear();
  await eventually(() => fired > 0);
  timer.clear();
  assertEquals(fired, 1);
});

for (const delay of [2 ** 31, 30 * 86_400_000, Number.MAX_SAFE_INTEGER, Infinity]) {
  Deno.test(`a Timer of ${delay} ms does not fire at once, and clear ends it`, async () => {
    let fired = false;
    const timer = new Timer(() => fired = true, delay);
    await new Promise((resolve) => setTimeout(resolve, 20));
    timer.clear();
    assert(!fired);
  });
}

Deno.test("Timer: supports delays longer than the maximum of setTimeout", () => {
  const delays: number[] = [];
  const callbacks: (() => void)[] = [];
  const { setTimeout } = globalThis;
  // The runtime's own timer would take 25 days.
  globalThis.setTimeout = ((callback: () => void, delay: number) => {
    delays.push(delay);
    return callbacks.push(callback);
  }) as unknown as typeof setTimeout;
  let fired = 0;
  try {
    new Timer(() => fired++, 2 ** 31 + 500);
    while (callbacks.length > 0) callbacks.shift()!();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
  assertEquals([delays, fired], [[2 ** 31 - 1, 501], 1]);
});
