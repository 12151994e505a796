import { assert, assertEquals } from "@std/assert";
import { CallbackQueue } from "../../src/rpc/callback_queue.ts";
import { turn } from "./support.ts";

function log(): { seen: string[]; errors: unknown[]; queue: (most: number) => CallbackQueue } {
  const seen: string[] = [];
  const errors: unknown[] = [];
  return { seen, errors, queue: (most) => new CallbackQueue(most, (error) => errors.push(error)) };
}

Deno.test("callbacks that are not async run at once", () => {
  const { seen, queue } = log();
  const all = queue(10);
  for (const name of ["a", "b"]) assert(all.invoke((x) => void seen.push(x), [name]));
  assertEquals(seen, ["a", "b"]);
});

Deno.test("those behind an async one wait for it, in order", async () => {
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

Deno.test("one that throws or rejects is reported, and the next runs", async () => {
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

Deno.test("no more wait than allowed, also while those before are worked off", async () => {
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

Deno.test("what waits is forgotten at the end, also what a drain has begun with", async () => {
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

Deno.test("a callback may invoke further ones", async () => {
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
