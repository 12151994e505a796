import { assert, assertEquals } from "@std/assert";
import type { Client } from "../../src/client.ts";
import type { Kite } from "../../src/kite.ts";
import type { KiteError } from "../../src/protocol/errors.ts";
import { eventually } from "../support/eventually.ts";
import { heapInUse } from "./heap.ts";
import { callingKite, targetKite } from "./kites.ts";

const CALLS = 100_000;
const TIMES = 1_000;
const NOTHING = { pending: 0, callbacks: 0, running: 0, streams: 0, waiting: 0 };

/** Bytes by which a heap may have grown: caches of the engine, code that was compiled meanwhile. */
const SLACK = 4_000_000;

/** Runs something twice with a kite and a client, and fails if the second time leaves anything. */
async function leavesNothing(
  run: (client: Client, kite: Kite, url: string) => Promise<void>,
): Promise<void> {
  const kite = targetKite();
  await using server = await kite.listen();
  await using client = callingKite().newClient(server.url);
  await client.dial();
  let heap = Infinity;
  for (let round = 0; round < 2; round++) {
    await run(client, kite, server.url);
    assertEquals(client.load, NOTHING);
    await eventually(() => kite.connections.size === 1);
    const [connection] = kite.connections;
    await eventually(() => connection!.load.running === 0);
    assertEquals(connection!.load, { pending: 0, callbacks: 0, running: 0, streams: 0 });
    const now = await heapInUse();
    assert(now - heap < SLACK, `the heap has grown by ${now - heap} bytes`);
    heap = now;
  }
}

/** Makes calls, some hundred at a time. */
async function inBatches(count: number, call: (i: number) => Promise<unknown>): Promise<void> {
  for (let done = 0; done < count; done += 500) {
    await Promise.all(Array.from({ length: 500 }, (_, i) => call(done + i)));
  }
}

Deno.test(`leaks: ${CALLS / 1_000},000 calls with a function each leave nothing in memory`, () =>
  leavesNothing(async (client, kite) => {
    kite.handle("back", ({ args }) => {
      args.one().function()(1);
      return 1;
    });
    let heard = 0;
    const options = { callbacks: "call" } as const;
    await inBatches(CALLS / 2, () => client.tellWith(options, "back", () => heard++));
    assertEquals(heard, CALLS / 2, "a function is called before its call's answer comes");
  }));

Deno.test("leaks: calls that share a function keep it once, until it is released", () =>
  leavesNothing(async (client, kite) => {
    kite.handle("back", ({ args }) => void args.one().function()(1));
    let heard = 0;
    const shared = () => heard++;
    await inBatches(CALLS / 10, () => client.tell("back", shared));
    assertEquals([heard, client.load.callbacks], [CALLS / 10, 1]);
    assertEquals(client.release(shared), true);
  }));

Deno.test("leaks: callbacks with functions leave nothing in the kite's memory", () =>
  leavesNothing(async (client, kite) => {
    const [connection] = kite.connections;
    const options = { callbacks: "call" } as const;
    await inBatches(5_000, () => connection!.tellWith(options, "kite.ping", () => {}));
    assertEquals(client.load.running, 0);
  }));

Deno.test(`leaks: ${TIMES} opened and closed connections leave nothing in memory`, () =>
  leavesNothing(async (_client, kite, url) => {
    const caller = callingKite();
    let disconnects = 0;
    const remove = kite.onDisconnect(() => disconnects++);
    for (let done = 0; done < TIMES / 2; done += 20) {
      await Promise.all(
        Array.from({ length: 20 }, async () => {
          const client = caller.newClient(url);
          await client.dial();
          assertEquals(await client.tell("kite.ping", () => {}), "pong");
          await client[Symbol.asyncDispose]();
          assertEquals(client.load, NOTHING);
        }).map((one) => one.catch((error: KiteError) => assertEquals(error.type, "argumentError"))),
      );
    }
    await eventually(() => disconnects === TIMES / 2);
    remove();
  }));

Deno.test(`leaks: ${TIMES} aborted calls with functions leave nothing in memory`, () =>
  leavesNothing(async (client, kite) => {
    const gate = Promise.withResolvers<void>();
    kite.handle("wait", () => gate.promise);
    for (let done = 0; done < TIMES; done += 100) {
      const controller = new AbortController();
      const calls = Array.from(
        { length: 100 },
        () =>
          client.tellWith({ signal: controller.signal }, "wait", () => {})
            .catch((error: KiteError) => error.type),
      );
      assertEquals(client.load.callbacks, 100);
      controller.abort();
      assertEquals(new Set(await Promise.all(calls)), new Set(["aborted"]));
    }
    gate.resolve();
  }));

Deno.test(`leaks: ${TIMES} calls that time out leave nothing in memory`, () =>
  leavesNothing(async (client, kite) => {
    const gate = Promise.withResolvers<void>();
    kite.handle("wait", () => gate.promise);
    const calls = Array.from(
      { length: TIMES },
      (_, i) =>
        client.tellWith({ timeout: 10 + i % 40 }, "wait", () => {}, { f: () => {} })
          .catch((error: KiteError) => error.type),
    );
    assertEquals(new Set(await Promise.all(calls)), new Set(["timeout"]));
    gate.resolve();
  }));

Deno.test("leaks: calls that run when the connection ends leave nothing, on both sides", () =>
  leavesNothing(async (_client, kite, url) => {
    const running: AbortSignal[] = [];
    const gate = Promise.withResolvers<void>();
    kite.handle("wait", ({ signal }) => {
      running.push(signal);
      return gate.promise;
    });
    await using client = callingKite().newClient(url);
    await client.dial();
    const calls = Array.from(
      { length: 200 },
      () => client.tell("wait", () => {}).catch((error: KiteError) => error.type),
    );
    await eventually(() => running.length === 200);
    client.close();
    assertEquals(new Set(await Promise.all(calls)), new Set(["disconnect"]));
    assertEquals(client.load, NOTHING);
    await eventually(() => running.every((signal) => signal.aborted));
    gate.resolve();
  }));
