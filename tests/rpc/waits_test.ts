import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { Backoff } from "../../src/backoff.ts";
import { PendingCalls, timeoutError } from "../../src/rpc/pending_calls.ts";
import { Throttle } from "../../src/rpc/throttle.ts";
import { FakeClock } from "../../src/testing/mod.ts";
import { WaitingCalls } from "../../src/waiting_calls.ts";

function pending(calls: PendingCalls, id: number, timeout: number): Promise<unknown> {
  return new Promise((resolve) => {
    const deadline = timeout === 0 ? Infinity : performance.now() + timeout;
    calls.add(id, { method: `m${id}`, timeout, deadline, resolve });
  });
}

function newPendingCalls(): PendingCalls {
  return new PendingCalls((error) => Promise.reject(error), () => {});
}

function newWaitingCalls(most: number): WaitingCalls {
  return new WaitingCalls(most, () => new KiteError("disconnect", "no connection"));
}

Deno.test("PendingCalls.take: returns a call once", async () => {
  const calls = newPendingCalls();
  const answer = pending(calls, 1, 1_000);
  calls.take(1)!.resolve("result");
  assertEquals(await answer, "result");
  assertEquals([calls.take(1), calls.take(7), calls.size], [undefined, undefined, 0]);
  calls.failAll(() => new KiteError("disconnect", ""));
});

Deno.test("PendingCalls: each call fails at its own deadline, in any order", async () => {
  using clock = new FakeClock();
  const calls = newPendingCalls();
  const order: string[] = [];
  const ends = [60, 0, 20, 40].map((timeout, id) =>
    pending(calls, id, timeout).catch((error: KiteError) => order.push(error.message))
  );
  for (let elapsed = 0; elapsed < 60; elapsed += 20) await clock.tick(20);
  assertEquals(calls.size, 1);
  assertEquals(order, [
    'No response to "m2" method in 20ms',
    'No response to "m3" method in 40ms',
    'No response to "m0" method in 60ms',
  ]);
  calls.failAll(({ method }) => new KiteError("disconnect", method));
  await Promise.all(ends);
  assertEquals(order[3], "m1");
});

Deno.test("a timeout has the Go kite's message", () => {
  assertEquals(String(timeoutError("m", 4_000)), 'timeout: No response to "m" method in 4s');
  assertEquals(String(timeoutError("m", 1_500)), 'timeout: No response to "m" method in 1.5s');
  assertEquals(String(timeoutError("m", 999)), 'timeout: No response to "m" method in 999ms');
});

Deno.test("a timeout longer than the runtime's longest timer does not fire immediately", async () => {
  const calls = newPendingCalls();
  const end = pending(calls, 1, 1e12).catch((error: KiteError) => error.type);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(calls.size, 1);
  calls.failAll(() => new KiteError("disconnect", ""));
  assertEquals(await end, "disconnect");
});

for (const timeout of [2 ** 31, 30 * 86_400_000, Infinity]) {
  Deno.test(`a call with a timeout of ${timeout} ms waits for a connection`, async () => {
    const waiting = newWaitingCalls(5);
    const left = waiting.wait("m", timeout, undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(waiting.size, 1);
    waiting.resolveAll();
    assert(await left > 2 ** 31 - 60_000);
  });
}

Deno.test("waiting calls are sent with the rest of their timeout", async () => {
  const waiting = newWaitingCalls(5);
  const [bounded, unbounded] = [
    waiting.wait("m", 5_000, undefined),
    waiting.wait("m", 0, undefined),
  ];
  assertEquals(waiting.size, 2);
  await new Promise((resolve) => setTimeout(resolve, 20));
  waiting.resolveAll();
  const left = await bounded;
  assert(left < 5_000 && left > 3_000, `${left}`);
  assertEquals([await unbounded, waiting.size], [0, 0]);
});

Deno.test("waiting calls fail on timeout, abort, a full queue, and close of the client", async () => {
  const waiting = newWaitingCalls(4);
  const controller = new AbortController();
  const timedOut = waiting.wait("slow", 15, undefined);
  const aborted = waiting.wait("m", 0, controller.signal);
  const early = waiting.wait("m", 0, AbortSignal.abort("why"));
  const left = waiting.wait("m", 1_000, undefined);
  controller.abort();
  await assertRejects(() => aborted, KiteError, 'Cannot call "m": the signal was aborted');
  await assertRejects(() => early, KiteError, 'Cannot call "m": the signal was aborted');
  await assertRejects(() => timedOut, KiteError, 'No response to "slow" method in 15ms');
  const more = [1, 2, 3].map(() => waiting.wait("m", 1_000, undefined));
  const message = "not connected, and 4 calls wait already (limit: waitingCalls)";
  await assertRejects(() => waiting.wait("m", 0, undefined), KiteError, message);
  waiting.rejectAll();
  for (const call of [left, ...more]) await assertRejects(() => call, KiteError, "no connection");
  assertEquals(waiting.size, 0);
});

Deno.test("Backoff: delays grow up to maxDelay, shortened by at most the jitter", () => {
  const plain = new Backoff({
    initialDelay: 10,
    factor: 2,
    maxDelay: 50,
    jitter: 0,
    maxAttempts: 4,
  });
  assertEquals([1, 2, 3, 4, 5].map(() => plain.next()), [10, 20, 40, 50, undefined]);
  assertEquals(plain.attempts, 4);
  plain.reset();
  assertEquals([plain.attempts, plain.next()], [0, 10]);
  const chancy = new Backoff({ initialDelay: 100, factor: 1, jitter: 0.3 });
  for (let i = 0; i < 200; i++) {
    const delay = chancy.next()!;
    assert(delay > 70 - 1e-9 && delay <= 100, `${delay}`);
  }
});

Deno.test("Backoff: maxAttempts 0 gives up immediately, and unlimited attempts stay within maxDelay", () => {
  assertEquals(new Backoff({ maxAttempts: 0 }).next(), undefined);
  const endless = new Backoff();
  for (let i = 0; i < 5_000; i++) assert(endless.next()! <= 15_000);
});

for (
  const [option, value] of [
    ["initialDelay", 0],
    ["factor", 0.5],
    ["maxDelay", 0],
    ["jitter", 1.1],
    ["maxAttempts", -1],
    ["jitter", NaN],
  ] as const
) {
  Deno.test(`Backoff: refuses ${option} ${value}, and the error names the option`, () => {
    assertThrows(
      () => new Backoff({ [option]: value }),
      KiteError,
      `Cannot use backoff.${option} ${value}: must be a number`,
    );
  });
}

Deno.test("Throttle: allows its capacity, then one call per interval", async () => {
  using clock = new FakeClock();
  const throttle = new Throttle(30, 3);
  assertEquals([1, 2, 3, 4].map(() => throttle.take()), [true, true, true, false]);
  await clock.tick(29);
  assertEquals(throttle.take(), false);
  await clock.tick(1);
  assertEquals([1, 2].map(() => throttle.take()), [true, false]);
});

Deno.test("Throttle: holds at most its capacity after a pause", async () => {
  using clock = new FakeClock();
  const throttle = new Throttle(1, 2);
  await clock.tick(86_400_000);
  assertEquals([1, 2, 3].map(() => throttle.take()), [true, true, false]);
});

for (const [interval, capacity] of [[0, 1], [-1, 1], [NaN, 1], [Infinity, 1], [1, 0], [1, 1.5]]) {
  Deno.test(`a throttle of ${interval} ms and ${capacity} calls is refused`, () => {
    assertThrows(() => new Throttle(interval!, capacity!), KiteError, "Cannot use ");
  });
}
