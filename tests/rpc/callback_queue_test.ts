import { assert, assertEquals } from "@std/assert";
import type { Callback } from "../../src/dnode/scrub.ts";
import { DEFAULT_LIMITS, type Limits } from "../../src/protocol/limits.ts";
import { CallbackQueue, type CallbackQueueOptions } from "../../src/rpc/callback_queue.ts";
import { InFlight } from "../../src/rpc/in_flight.ts";
import { turn } from "./support.ts";

function log(): {
  seen: string[];
  errors: unknown[];
  queue: (most: number) => ReturnType<typeof queueOf>;
} {
  const seen: string[] = [];
  const errors: unknown[] = [];
  return { seen, errors, queue: (limit) => queueOf({ limit, onError: (e) => errors.push(e) }) };
}

/** A queue whose messages have one byte each, unless a test says otherwise. */
function queueOf(
  options: Partial<CallbackQueueOptions>,
  limits: Partial<Limits> = {},
): Pick<CallbackQueue, "clear"> & {
  invoke(callback: Callback, args: unknown[], bytes?: number): boolean;
} {
  const inFlight = new InFlight({ ...DEFAULT_LIMITS, ...limits }, { bytes: 0 });
  const queue = new CallbackQueue({
    limit: 10,
    inFlight,
    concurrent: false,
    onError: () => {},
    ...options,
  });
  return {
    clear: () => queue.clear(),
    invoke: (callback, args, bytes = 1) => queue.invoke(callback, args, bytes),
  };
}

Deno.test("CallbackQueue: synchronous callbacks run immediately", () => {
  const { seen, queue } = log();
  const all = queue(10);
  for (const name of ["a", "b"]) assert(all.invoke((x) => void seen.push(x), [name]));
  assertEquals(seen, ["a", "b"]);
});

Deno.test("CallbackQueue: later callbacks wait for an asynchronous one, in order", async () => {
  const { seen, queue } = log();
  const all = queue(10);
  const gate = Promise.withResolvers<void>();
  all.invoke(async () => {
    await gate.promise;
    seen.push("slow");
  }, []);
  all.invoke(() => void seen.push("second"), []);
  all.invoke(async () => {
    await turn();
    seen.push("third");
  }, []);
  all.invoke(() => void seen.push("fourth"), []);
  await turn();
  assertEquals(seen, []);
  gate.resolve();
  await turn();
  await turn();
  assertEquals(seen, ["slow", "second", "third", "fourth"]);
  all.invoke(() => void seen.push("at once again"), []);
  assertEquals(seen.at(-1), "at once again");
});

Deno.test("CallbackQueue: a callback that throws or rejects is reported, and the next one runs", async () => {
  const { seen, errors, queue } = log();
  const all = queue(10);
  all.invoke(() => {
    throw "thrown";
  }, []);
  all.invoke(() => Promise.reject("rejected"), []);
  all.invoke(() => {
    throw "thrown later";
  }, []);
  all.invoke(() => void seen.push("ran"), []);
  await turn();
  assertEquals(errors, ["thrown", "rejected", "thrown later"]);
  assertEquals(seen, ["ran"]);
});

Deno.test("CallbackQueue: enforces the limit, also while waiting callbacks are processed", async () => {
  const { seen, queue } = log();
  const all = queue(3);
  const gates = [1, 2].map(() => Promise.withResolvers<void>());
  assert(all.invoke(() => gates[0]!.promise, []));
  assert(all.invoke(() => gates[1]!.promise, []));
  assert(all.invoke(() => void seen.push("a"), []));
  assert(all.invoke(() => void seen.push("b"), []));
  assertEquals(all.invoke(() => void seen.push("too many"), []), false);
  gates[0]!.resolve();
  await turn();
  assert(all.invoke(() => void seen.push("c"), []), "one has left the queue");
  assertEquals(all.invoke(() => void seen.push("too many"), []), false);
  gates[1]!.resolve();
  await turn();
  assertEquals(seen, ["a", "b", "c"]);
});

Deno.test("CallbackQueue.clear: discards all waiting callbacks, also those of the current batch", async () => {
  const { seen, queue } = log();
  const all = queue(10);
  const gates = [1, 2].map(() => Promise.withResolvers<void>());
  all.invoke(() => gates[0]!.promise, []);
  all.invoke(() => gates[1]!.promise, []);
  all.invoke(() => void seen.push("late"), []);
  gates[0]!.resolve();
  await turn();
  all.clear();
  gates[1]!.resolve();
  await turn();
  assertEquals(seen, []);
  all.invoke(() => void seen.push("new"), []);
  assertEquals(seen, ["new"]);
});

Deno.test("CallbackQueue: a callback may invoke others", async () => {
  const { seen, queue } = log();
  const all = queue(10);
  all.invoke(async () => {
    await turn();
    all.invoke(() => void seen.push("inner"), []);
    seen.push("outer");
  }, []);
  await turn();
  await turn();
  assertEquals(seen, ["outer", "inner"]);
});

Deno.test("CallbackQueue: counts the bytes of running and waiting callbacks, and subtracts them afterwards", async () => {
  const total = { bytes: 0 };
  const inFlight = new InFlight({ ...DEFAULT_LIMITS, inFlightBytes: 100 }, total);
  const all = queueOf({ inFlight });
  const gate = Promise.withResolvers<void>();
  assert(all.invoke(() => gate.promise, [], 60));
  assert(all.invoke(() => {}, [], 40));
  assertEquals(all.invoke(() => {}, [], 1), false);
  assertEquals(total.bytes, 100);
  gate.resolve();
  await turn();
  assertEquals(total.bytes, 0);
  const never = Promise.withResolvers<void>();
  assert(all.invoke(() => never.promise, [], 10));
  assert(all.invoke(() => {}, [], 20));
  all.clear();
  assertEquals(total.bytes, 10, "what runs still holds its arguments");
  never.resolve();
  await turn();
  assertEquals(total.bytes, 0);
});

Deno.test("CallbackQueue: concurrent callbacks run immediately, up to the limit", async () => {
  const total = { bytes: 0 };
  const inFlight = new InFlight({ ...DEFAULT_LIMITS, inFlightBytes: 100 }, total);
  const all = queueOf({ inFlight, concurrent: true, limit: 3 });
  const gate = Promise.withResolvers<void>();
  const seen: string[] = [];
  for (const name of ["a", "b", "c"]) {
    assert(all.invoke(() => {
      seen.push(name);
      return gate.promise;
    }, []));
  }
  assertEquals(seen, ["a", "b", "c"]);
  assertEquals(all.invoke(() => {}, []), false, "three run already");
  gate.resolve();
  await turn();
  assertEquals(total.bytes, 0);
  const next = Promise.withResolvers<void>();
  assert(all.invoke(() => next.promise, [], 90));
  assertEquals(all.invoke(() => {}, [], 20), false, "too many bytes");
  next.resolve();
  await turn();
});
