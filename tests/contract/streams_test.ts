import { assert, assertEquals, assertRejects } from "@std/assert";
import { z } from "zod";
import { contract, Kite, KiteError, method, tracked, type } from "../../mod.ts";
import type { Client, Implementation, KiteOptions, RemoteStream } from "../../mod.ts";
import { eventually } from "../support/eventually.ts";

const OPTIONS: KiteOptions = { ip: "127.0.0.1", port: 0, logLevel: "FATAL" };

const lines = contract({
  tail: method({ args: [z.string()], items: z.string() }),
  count: method({ args: [z.number().optional()], items: z.number() }),
  sum: method({ args: [type<AsyncIterable<number>>()], result: z.number() }),
});

const implementation: Implementation<typeof lines> = {
  async *tail(file) {
    for (let i = 0; i < 3; i++) yield `${file}:${i}`;
  },
  async *count(to = Infinity) {
    for (let n = 0; n < to; n++) yield n;
  },
  async sum(numbers) {
    let sum = 0;
    for await (const n of numbers) sum += n;
    return sum;
  },
};

async function withKite(run: (kite: Kite, remote: Client) => Promise<void>): Promise<void> {
  await using kite = new Kite("lines", "1.0.0", { ...OPTIONS, disableAuthentication: true });
  const server = await kite.listen();
  await using caller = new Kite("reader", "1.0.0", OPTIONS);
  const remote = caller.newClient(server.url, { reconnect: { initialDelay: 1, maxDelay: 5 } });
  await remote.dial();
  await run(kite, remote);
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Ends every connection of a kite, as a broken network would. */
function cut(kite: Kite): void {
  for (const connection of kite.connections) connection.close();
}

Deno.test("Client.as() iterates the items of a method, typed", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(lines, implementation);
    const api = remote.as(lines);
    const items: string[] = [];
    for await (const line of api.tail("x")) {
      const typed: string = line;
      items.push(typed);
    }
    assertEquals(items, ["x:0", "x:1", "x:2"]);
    assertEquals((await collect(api.count(70_000))).length, 70_000);
    assertEquals(await api.sum(api.count(1_000)), 499_500);
    await eventually(() => [...kite.connections].every(({ load }) => load.streams === 0));
    assertEquals(remote.load.streams, 0);
  });
});

Deno.test("Client.as() makes no call before the first item is read", async () => {
  await withKite(async (kite, remote) => {
    let calls = 0;
    kite.implement(lines, {
      ...implementation,
      tail: (file, request) => (calls++, implementation.tail(file, request)),
    });
    const items = remote.as(lines).tail("x");
    await items.return();
    assertEquals(await items.next(), { done: true, value: undefined });
    assertEquals(calls, 0);
  });
});

Deno.test("leaving a typed loop ends the producer and aborts its request", async () => {
  await withKite(async (kite, remote) => {
    const ends: string[] = [];
    kite.implement(lines, {
      ...implementation,
      async *count(_to, request) {
        try {
          yield 1;
          // Only the signal can end this wait.
          await new Promise((_, reject) =>
            request.signal.addEventListener("abort", () => reject(request.signal.reason))
          );
        } catch (error) {
          ends.push(`${error}`);
        } finally {
          ends.push("finally");
        }
      },
    });
    for await (const n of remote.as(lines).count()) if (n === 1) break;
    await eventually(() => ends.length === 2);
    assertEquals(ends, [
      `aborted: The caller has stopped reading the stream of "count"`,
      "finally",
    ]);
  });
});

Deno.test("a timeout of the call does not end a stream that has begun", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(lines, {
      ...implementation,
      async *count(_to, request) {
        yield 1;
        await new Promise((resolve) => setTimeout(resolve, 150));
        yield request.signal.aborted ? -1 : 2;
      },
    });
    assertEquals(await collect(remote.as(lines).count(9, { timeout: 100 })), [1, 2]);
  });
});

Deno.test("a signal ends a typed stream on both sides, before and after the answer", async () => {
  await withKite(async (kite, remote) => {
    const ends: string[] = [];
    kite.implement(lines, {
      ...implementation,
      async *count() {
        try {
          for (let n = 0;; n++) {
            yield n;
            await new Promise((resolve) => setTimeout(resolve, 1));
          }
        } finally {
          ends.push("finally");
        }
      },
    });
    const api = remote.as(lines);
    const abort = new AbortController();
    const error = await assertRejects(
      async () => {
        for await (const n of api.count(undefined, { signal: abort.signal })) {
          if (n === 5) abort.abort(new Error("enough"));
        }
      },
      KiteError,
      'Cannot call "count": the signal was aborted',
    );
    assertEquals([error.type, (error.cause as Error).message], ["aborted", "enough"]);
    await eventually(() => ends.length === 1);
    const early = api.count(undefined, { signal: AbortSignal.abort() });
    assertEquals((await assertRejects(() => early.next(), KiteError)).type, "aborted");
    assertEquals(await early.next(), { done: true, value: undefined });
  });
});

Deno.test("validateResults checks each item, at the kite and at the caller", async () => {
  await withKite(async (kite, remote) => {
    const wrong = { ...implementation, tail: implementation.count as never };
    kite.implement(lines, wrong, { validateResults: true });
    const told = await assertRejects(() => collect(remote.as(lines).tail(3 as never)), KiteError);
    assertEquals(told.type, "argumentError", "arguments are checked first");
    kite.handle("count", async function* () {
      yield 1;
      yield "two";
      yield 3;
    });
    const items: number[] = [];
    const error = await assertRejects(
      async () => {
        const api = remote.as(lines, { validateResults: true });
        for await (const n of api.count()) items.push(n);
      },
      KiteError,
      'Cannot use the answer of "count": item: ',
    );
    assertEquals([error.type, items], ["invalidResponse", [1]]);
    kite.implement(lines, {
      ...implementation,
      async *tail() {
        yield tracked("1", "one");
        yield 2 as never;
      },
    }, { validateResults: true });
    const stream = remote.as(lines).tail("x");
    assertEquals(await stream.next(), { done: false, value: "one" });
    assertEquals(stream.lastId, "1");
    await assertRejects(() => stream.next(), KiteError, 'Cannot stream from "tail": item: ');
    await eventually(() => remote.load.streams === 0);
  });
});

Deno.test("an answer without a stream fails a typed stream", async () => {
  await withKite(async (kite, remote) => {
    kite.handle("tail", () => ["x"]);
    await assertRejects(
      () => collect(remote.as(lines).tail("x")),
      KiteError,
      'Cannot stream from "tail": the answer contains no stream',
    );
  });
});

Deno.test("tracked(): a typed stream continues after a lost connection, without gaps or duplicates", async () => {
  await withKite(async (kite, remote) => {
    const starts: (string | undefined)[] = [];
    kite.implement(lines, {
      ...implementation,
      async *count(to = 0, request) {
        starts.push(request.lastId);
        for (let n = request.lastId === undefined ? 0 : Number(request.lastId) + 1; n < to; n++) {
          yield tracked(`${n}`, n);
        }
      },
    });
    const seen: number[] = [];
    const stream = remote.as(lines).count(10_000);
    for await (const n of stream) {
      seen.push(n);
      if (n % 3_000 === 2_999) cut(kite);
    }
    assertEquals(seen, Array.from({ length: 10_000 }, (_, n) => n));
    assertEquals(stream.lastId, "9999");
    assert(starts.length >= 4, `${starts}`);
    assertEquals(starts[0], undefined);
  });
});

Deno.test("a stream without tracked items fails with disconnect, and is not repeated", async () => {
  await withKite(async (kite, remote) => {
    let calls = 0;
    kite.implement(lines, {
      ...implementation,
      count: (to, request) => (calls++, implementation.count(to, request)),
    });
    const error = await assertRejects(async () => {
      for await (const n of remote.as(lines).count()) if (n === 100) cut(kite);
    }, KiteError);
    assertEquals([error.type, calls], ["disconnect", 1]);
  });
});

Deno.test("a client that does not redial fails a tracked stream with disconnect", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(lines, {
      ...implementation,
      async *count() {
        for (let n = 0;; n++) yield tracked(`${n}`, n);
      },
    });
    const error = await assertRejects(async () => {
      for await (const n of remote.as(lines).count()) if (n === 100) await remote.close();
    }, KiteError);
    assertEquals(error.type, "disconnect");
  });
});

Deno.test("lastId: a caller may continue a stream that an earlier process read", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(lines, {
      ...implementation,
      async *tail(file, { lastId = "" }) {
        yield tracked("b", `${file} after ${lastId}`);
      },
    });
    const stream = remote.as(lines).tail("x", { lastId: "a" });
    assertEquals(stream.lastId, "a");
    assertEquals([await collect(stream), stream.lastId], [["x after a"], "b"]);
    await assertRejects(() => remote.tellWith({ lastId: "" }, "tail", "x"), KiteError, "lastId");
  });
});

Deno.test("lastId: calls within a request do not inherit it", async () => {
  await using kite = new Kite("lines", "1.0.0", { ...OPTIONS, disableAuthentication: true });
  kite.handle("outer", (request) => request.client.tellWith({ within: request }, "inner"));
  const server = await kite.listen();
  await using caller = new Kite("reader", "1.0.0", OPTIONS);
  caller.handle("inner", ({ lastId = null, meta }) => ({ lastId, meta }));
  const remote = caller.newClient(server.url);
  await remote.dial();
  assertEquals(
    await remote.tellWith({ lastId: "7", meta: { trace: "x" } }, "outer"),
    { lastId: null, meta: { trace: "x" } },
  );
});

Deno.test("tell: returns the stream, with the values of tracked items", async () => {
  await withKite(async (kite, remote) => {
    kite.handle("tail", async function* () {
      yield tracked("p1", { line: 1 });
      yield { $tracked: 7, value: "no id" };
      yield { $tracked: "p".repeat(2_000), value: "too long" };
    });
    await using stream = await remote.tell<RemoteStream>("tail");
    assertEquals(await stream.next(), { done: false, value: { line: 1 } });
    assertEquals(stream.lastId, "p1");
    assertEquals(await stream.next(), { done: false, value: { $tracked: 7, value: "no id" } });
    assertEquals(Object.keys((await stream.next()).value as object), ["$tracked", "value"]);
    assertEquals(stream.lastId, "p1");
  });
});
