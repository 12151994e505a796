import { assert, assertEquals, assertRejects } from "@std/assert";
import { contract, method, type } from "../../src/contract/contract.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { KiteRequest } from "../../src/rpc/request.ts";
import { IncomingStream } from "../../src/rpc/incoming_stream.ts";
import type { RemoteStream } from "../../src/rpc/remote_stream.ts";
import { eventually } from "../support/eventually.ts";
import { converse, PipeSession, Side, turn } from "./support.ts";

const IDLE = { pending: 0, callbacks: 0, running: 0, streams: 0 };

async function* count(to: number, ends: string[] = []): AsyncGenerator<number> {
  try {
    for (let n = 0; n < to; n++) yield n;
  } catch (error) {
    ends.push(`${error}`);
  } finally {
    ends.push("finally");
  }
}

/** All items, or those before a loop was left. */
async function collect<Item>(stream: AsyncIterable<Item>, most = Infinity): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) {
    items.push(item);
    if (items.length === most) break;
  }
  return items;
}

function assertIdle(...sides: Side[]): void {
  for (const side of sides) assertEquals(side.conversation.load, IDLE);
}

Deno.test("a stream in a result yields every item in order, and leaves no function in the tables", async () => {
  const [left, right] = converse({}, { serve: ({ args }) => count(args.one().number()) });
  for (const length of [0, 1, 31, 32, 33, 5_000]) {
    const stream = await left.tell<RemoteStream<number>>("count", length);
    assert(stream instanceof IncomingStream);
    assertEquals(await collect(stream), Array.from({ length }, (_, i) => i));
    assertEquals(await collect(stream), [], "it has ended");
  }
  await turn();
  assertIdle(left, right);
  left.close();
});

Deno.test("streams work in arguments and in arguments of callbacks, at any depth", async () => {
  const sums: number[] = [];
  const add = async (stream: AsyncIterable<number>): Promise<number> =>
    (await collect(stream)).reduce((sum, n) => sum + n, 0);
  const [left, right] = converse({}, {
    serve: async ({ args }) => {
      const { from, tell } = args.one().value as {
        from: AsyncIterable<number>[];
        tell(total: { of: AsyncIterable<number> }): void;
      };
      const total = await Promise.all(from.map(add));
      tell({ of: count(total.length) });
      return total;
    },
  });
  const told = Promise.withResolvers<void>();
  const from = [count(4), ReadableStream.from([1, 2, 3]), count(2_000)];
  const tell = async ({ of }: { of: AsyncIterable<number> }): Promise<void> => {
    sums.push(await add(of));
    told.resolve();
  };
  assertEquals(await left.tellWith({ callbacks: "call" }, "sum", { from, tell }), [
    6,
    6,
    1_999_000,
  ]);
  await told.promise;
  assertEquals(sums, [3]);
  await turn();
  assertIdle(left, right);
  left.close();
});

Deno.test("a ReadableStream without an async iterator is sent as well", async () => {
  let cancelled = false;
  const plain = new ReadableStream<number>({
    pull: (controller) => controller.enqueue(1),
    cancel: () => void (cancelled = true),
  });
  Object.defineProperty(plain, Symbol.asyncIterator, { value: undefined });
  const [left] = converse({}, { serve: () => ({ plain }) });
  const result = await left.tell<{ plain: RemoteStream<number> }>("read");
  assertEquals(await collect(result.plain, 3), [1, 1, 1]);
  await eventually(() => cancelled);
  left.close();
});

Deno.test("leaving a loop ends the producer and runs its finally blocks", async () => {
  const ends: string[] = [];
  const [left, right] = converse({}, { serve: () => count(Infinity, ends) });
  assertEquals(await collect(await left.tell<RemoteStream>("count"), 3), [0, 1, 2]);
  await eventually(() => ends.length > 0);
  assertEquals(ends, ["finally"]);
  await using stream = await left.tell<RemoteStream>("count");
  await stream.next();
  await stream[Symbol.asyncDispose]();
  await eventually(() => ends.length > 1);
  await turn();
  assertIdle(left, right);
  left.close();
});

Deno.test("leaving a stream before its first item ends the producer", async () => {
  const [left, right] = converse({}, { serve: () => count(Infinity) });
  const stream = await left.tell<RemoteStream>("count");
  assertEquals(right.conversation.load.streams, 1);
  await stream.return();
  await turn();
  assertIdle(left, right);
  left.close();
});

Deno.test("an error of the producer arrives after its items", async () => {
  async function* failing(): AsyncGenerator<number> {
    yield 1;
    yield 2;
    throw new KiteError("quotaError", "no more", { code: "E1" });
  }
  const [left, right] = converse({}, { serve: failing });
  const items: unknown[] = [];
  const error = await assertRejects(
    async () => {
      for await (const item of await left.tell<RemoteStream>("fail")) items.push(item);
    },
    KiteError,
    "no more",
  );
  assertEquals([error.type, error.code, items], ["quotaError", "E1", [1, 2]]);
  await turn();
  assertIdle(left, right);
  left.close();
});

Deno.test("an item that JSON cannot represent ends the stream with the reason", async () => {
  const ends: string[] = [];
  async function* broken(): AsyncGenerator<unknown> {
    try {
      yield 1;
      yield NaN;
    } finally {
      ends.push("finally");
    }
  }
  const [left, right] = converse({}, { serve: broken });
  const stream = await left.tell<RemoteStream>("break");
  const error = await assertRejects(() => collect(stream), KiteError, "Cannot send NaN at 0");
  assertEquals(error.type, "argumentError");
  await eventually(() => ends.length === 1);
  assertIdle(left, right);
  left.close();
});

Deno.test("the end of the session fails both sides with disconnect", async () => {
  const ends: string[] = [];
  const [left, right] = converse({}, { serve: () => count(Infinity, ends) });
  const stream = await left.tell<RemoteStream<number>>("count");
  assertEquals(await stream.next(), { done: false, value: 0 });
  const unread = await left.tell<RemoteStream<number>>("count");
  right.close();
  const error = await assertRejects(() => collect(stream), KiteError, "disconnected");
  assertEquals(error.type, "disconnect");
  const late = await assertRejects(() => collect(unread), KiteError, "disconnected");
  assertEquals(late.type, "disconnect");
  await eventually(() => ends.length === 2);
  assert(ends[0]!.startsWith("disconnect: Remote kite has disconnected"), ends[0]);
  assertEquals(ends[1], "finally");
  assertIdle(left, right);
});

Deno.test("a slow consumer slows the producer down", async () => {
  let produced = 0;
  async function* produce(): AsyncGenerator<number> {
    for (;;) yield produced++;
  }
  const [left] = converse({ limits: { streamItems: 64 } }, { serve: produce });
  const stream = await left.tell<RemoteStream<number>>("produce");
  for (let taken = 1; taken <= 1_000; taken++) {
    await stream.next();
    if (taken % 100 !== 0) continue;
    for (let i = 0; i < 5; i++) await turn();
    assert(produced <= taken + 65, `${produced} items were produced, ${taken} taken`);
  }
  left.close();
});

Deno.test("a producer checks the network before each item", async () => {
  let produced = 0;
  async function* produce(): AsyncGenerator<string> {
    for (;; produced++) yield "x".repeat(1_000);
  }
  const [left, right] = converse({}, { serve: produce, limits: { streamBytes: 10_000 } });
  Object.defineProperty(right.session, "bufferedAmount", { value: 0, writable: true });
  const network = right.session as unknown as { bufferedAmount: number };
  const stream = await left.tell<RemoteStream<string>>("produce");
  await stream.next();
  network.bufferedAmount = 10_001;
  for (let i = 0; i < 5; i++) await turn();
  const held = produced;
  for (let i = 0; i < 5; i++) await turn();
  assertEquals(produced, held);
  network.bufferedAmount = 0;
  for (let i = 0; i < 200; i++) await stream.next();
  assert(produced > held);
  left.close();
});

Deno.test("large items are sent in several messages", async () => {
  const [left, right] = converse({ limits: { streamBytes: 40_000 } }, {
    limits: { messageBytes: 30_000 },
    serve: async function* () {
      for (let i = 0; i < 300; i++) yield 1;
      for (let i = 0; i < 40; i++) yield "x".repeat(20_000);
    },
  });
  const items = await collect(await left.tell<RemoteStream<unknown>>("large"));
  assertEquals(items.length, 340);
  await turn();
  assertIdle(left, right);
  left.close();
});

Deno.test("items may contain functions and streams", async () => {
  const [left] = converse({}, {
    serve: async function* () {
      for (let i = 0; i < 3; i++) {
        yield {
          nested: count(i),
          call: (tell: (n: number) => void) => tell(i),
        };
      }
    },
  });
  const found: unknown[] = [];
  for await (
    const { nested, call } of await left.tell<
      RemoteStream<{ nested: RemoteStream; call(tell: (n: number) => void): void }>
    >("nested")
  ) {
    found.push((await collect(nested)).length);
    const answer = Promise.withResolvers<number>();
    call(answer.resolve);
    found.push(await answer.promise);
  }
  assertEquals(found, [0, 0, 1, 1, 2, 2]);
  left.close();
});

Deno.test("a stream in the arguments that the handler does not read ends with the call", async () => {
  const ends: string[] = [];
  const stream = () => {
    const source = count(5);
    const { return: end } = source;
    source.return = (value) => (ends.push("return"), end.call(source, value));
    return source;
  };
  const [left, right] = converse({}, {
    serve: ({ method }: KiteRequest) => {
      if (method === "fail") throw new Error("on purpose");
      return method === "wait" ? new Promise(() => {}) : "unread";
    },
  });
  await left.tell("unread", stream());
  await assertRejects(() => left.tell("fail", stream()), KiteError, "on purpose");
  await assertRejects(() => left.tellWith({ timeout: 10 }, "wait", stream()), KiteError);
  await assertRejects(() => left.tell("unread", stream(), NaN), KiteError, "NaN");
  await assertRejects(() => left.tell("unread", "x".repeat(5_000_000), stream()), KiteError);
  await eventually(() => ends.length === 5);
  assertEquals(left.conversation.load.streams, 0);
  assertEquals(left.conversation.load.callbacks, 0);
  right.close();
});

Deno.test("a result that cannot be sent ends the streams in it", async () => {
  const ends: string[] = [];
  const gate = Promise.withResolvers<void>();
  const [left, right] = converse({}, {
    serve: async ({ method }) => {
      const stream = new ReadableStream({ cancel: () => void ends.push(method) });
      if (method === "late") await gate.promise;
      return method === "late" ? stream : { stream, bad: NaN };
    },
  });
  await assertRejects(() => left.tell("bad"), KiteError, "NaN");
  const late = left.tell("late").catch(() => {});
  await turn();
  left.close();
  await late;
  gate.resolve();
  await eventually(() => ends.length === 2);
  assertEquals(ends, ["bad", "late"]);
  assertEquals(right.conversation.load.streams, 0);
});

Deno.test("streams beyond the limit are refused, and closed", async () => {
  const limits = { streamsPerSession: 3 };
  const [left, right] = converse({ limits }, { serve: () => count(5) });
  const streams = await Promise.all(
    Array.from({ length: 4 }, () => left.tell<RemoteStream>("count")),
  );
  const reading = streams.slice(0, 3).map((stream) => stream.next());
  await assertRejects(() => streams[3]!.next(), KiteError, "3 streams are open already");
  await Promise.all(reading);
  await turn();
  assertEquals(right.conversation.load.streams, 0, "the one that was refused is cancelled");
  const own = Array.from({ length: 4 }, () => count(1));
  await assertRejects(() => left.tell("x", own), KiteError, "3 streams are open already");
  assertIdle(left, right);
  left.close();
});

/** A side whose remote is this test, which sends what it likes. */
function hostile(limits = {}): { side: Side; session: PipeSession; sent(): unknown[] } {
  const session = new PipeSession();
  const side = new Side(session, { limits });
  return { side, session, sent: () => session.sent.splice(0).map((text) => JSON.parse(text)) };
}

const STREAM = { $stream: 1, pull: "[Function]", cancel: "[Function]" };

async function received(limits = {}) {
  const it = hostile(limits);
  const call = it.side.tell<RemoteStream>("m");
  const [request] = it.sent() as [{ callbacks: Record<string, unknown> }];
  const id = Number(Object.keys(request.callbacks)[0]);
  it.session.hear(JSON.stringify({
    method: id,
    arguments: [{ error: null, result: STREAM }],
    callbacks: { 70: [0, "result", "pull"], 71: [0, "result", "cancel"] },
  }));
  const stream = await call;
  const first = stream.next();
  const [pull] = it.sent() as [{ method: number; arguments: [number]; callbacks: object }];
  assertEquals(pull.method, 70);
  const [next, end] = Object.keys(pull.callbacks).map(Number);
  const send = (items: unknown[]) =>
    it.session.hear(JSON.stringify({ method: next, arguments: items, callbacks: {} }));
  return { ...it, stream, first, credit: pull.arguments[0], send, end: end! };
}

Deno.test("items that were not requested end the stream", async () => {
  const { side, stream, first, credit, send, sent } = await received();
  send(Array.from({ length: credit }, () => 1));
  await first;
  send(Array.from({ length: credit + 1 }, () => 1));
  await assertRejects(() => collect(stream), KiteError, "sent more items than were asked for");
  assertEquals((sent().at(-1) as { method: number }).method, 71, "cancel");
  assertIdle(side);
  side.close();
});

Deno.test("items with too many bytes end the stream, and waiting items are discarded", async () => {
  const limits = { inFlightBytes: 100_000, totalInFlightBytes: 100_000 };
  const { side, stream, first, send } = await received(limits);
  send([1]);
  await first;
  for (let i = 0; i < 10; i++) send(["x".repeat(20_000)]);
  const items: unknown[] = [];
  const error = await assertRejects(
    async () => {
      for await (const item of stream) items.push(item);
    },
    KiteError,
    "too many bytes wait",
  );
  assertEquals([error.type, items.length], ["limitError", 4]);
  assertIdle(side);
  side.close();
});

Deno.test("a consumer requests fewer items if they are large", async () => {
  const { side, stream, first, credit, send, sent } = await received({ streamBytes: 10_000 });
  send(Array.from({ length: credit }, () => "x".repeat(1_000)));
  await first;
  for (let i = 1; i < credit; i++) await stream.next();
  const asked = sent().map((pull) => (pull as { arguments: number[] }).arguments[0]!);
  assert(asked.reduce((sum, n) => sum + n, 0) <= 20, `asked for ${asked}`);
  side.close();
});

Deno.test("late and repeated ends, and items after the end, are ignored", async () => {
  const { side, session, stream, first, send, end } = await received();
  const finish = (error: unknown) =>
    session.hear(JSON.stringify({ method: end, arguments: [error], callbacks: {} }));
  send([1]);
  await first;
  finish(null);
  finish({ type: "genericError", message: "again" });
  send([2]);
  assertEquals(await collect(stream), []);
  assertIdle(side);
  side.close();
});

Deno.test("objects that only resemble streams are sent as plain values", async () => {
  const got: unknown[] = [];
  const [left, right] = converse({}, { serve: ({ args }) => void got.push(...args.values) });
  const wrong: unknown[] = [
    { $stream: 1 },
    { $stream: 1, pull: 1, cancel: 2 },
    { $stream: 2, pull: () => {}, cancel: () => {} },
    { $stream: 1, pull: () => {} },
    { pull: () => {}, cancel: () => {} },
  ];
  await left.tell("m", ...wrong);
  assertEquals(got.length, wrong.length);
  assert(got.every((value) => !(value instanceof IncomingStream)));
  assertEquals(Object.keys(got[2] as object), ["$stream", "pull", "cancel"]);
  right.close();
});

Deno.test("a consumer that breaks the rules ends the stream", async () => {
  const pulls: [name: string, args: unknown[]][] = [
    ["no functions", [5]],
    ["credit of 0", [0, "next", "end"]],
    ["credit below 0", [-1, "next", "end"]],
    ["half an item", [0.5, "next", "end"]],
    ["text", ["5", "next", "end"]],
  ];
  for (const [name, args] of pulls) {
    const ends: string[] = [];
    const session = new PipeSession();
    const side = new Side(session, {
      serve: () => {
        const source = count(Infinity);
        source.return = (value) => {
          ends.push("return");
          return Promise.resolve({ done: true, value });
        };
        return source;
      },
    });
    session.hear(JSON.stringify({
      method: "m",
      arguments: [{ withArgs: [], responseCallback: "[Function]" }],
      callbacks: { 0: [0, "responseCallback"] },
    }));
    const answer = JSON.parse(session.sent.pop()!);
    const [pull] = Object.keys(answer.callbacks).map(Number);
    const callbacks = args.length > 1 ? { 8: [1], 9: [2] } : {};
    session.hear(JSON.stringify({ method: pull, arguments: args, callbacks }));
    await eventually(() => ends.length === 1);
    assertEquals(side.conversation.load.streams, 0, name);
    assertEquals(side.conversation.load.callbacks, 0, name);
    if (args.length === 1) continue;
    const end = JSON.parse(session.sent.pop()!);
    assertEquals([end.method, end.arguments[0].type], [9, "argumentError"], name);
  }
});

Deno.test("a request for more items than the limit counts as the limit", async () => {
  const limits = { streamItems: 10 };
  let produced = 0;
  const session = new PipeSession();
  const side = new Side(session, {
    limits,
    serve: async function* () {
      for (;;) yield produced++;
    },
  });
  session.hear(JSON.stringify({
    method: "m",
    arguments: [{ withArgs: [], responseCallback: "[Function]" }],
    callbacks: { 0: [0, "responseCallback"] },
  }));
  const [pull] = Object.keys(JSON.parse(session.sent.pop()!).callbacks).map(Number);
  const callbacks = { 8: [1], 9: [2] };
  session.hear(JSON.stringify({ method: pull, arguments: [1e15, "f", "f"], callbacks }));
  for (let i = 0; i < 5; i++) await turn();
  assertEquals(produced, 10);
  side.close();
});

const numbers = contract({ count: method({ args: [type<number>()], items: type<number>() }) });

Deno.test("a typed stream begins with its answer, without a round trip", async () => {
  const [left, right] = converse({}, {
    serve: ({ method: name, args }) => name === "count" ? count(args.one().number()) : null,
  });
  await left.tell("hello");
  const sent: string[] = [];
  const { session } = left;
  const send = session.send.bind(session);
  session.send = (text) => {
    sent.push(text);
    send(text);
  };
  assertEquals(await collect(left.as(numbers).count(9)), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assertEquals(sent.filter((text) => text.startsWith("[4,")), [], "no function was called");
  assertEquals(sent.filter((text) => text.startsWith("[1,")).length, 1);
  assertEquals((await collect(left.as(numbers).count(10_000))).length, 10_000);
  for await (const n of left.as(numbers).count(10_000)) if (n === 3) break;
  await eventually(() => right.conversation.load.streams === 0);
  assertIdle(left, right);
  left.close();
});

Deno.test("the functions of a first credit are freed when no stream comes", async () => {
  const results: Record<string, unknown> = { a: 1, b: { nested: [1] }, c: null };
  const [left, right] = converse({}, {
    serve: ({ args }) => {
      const name = args.one().string();
      if (name === "fail") throw new Error("on purpose");
      return name === "late" ? new Promise(() => {}) : results[name];
    },
  });
  await left.tell("hello", "a");
  const other = contract({ m: method({ args: [type<string>()], items: type<unknown>() }) });
  for (const name of ["a", "b", "c"]) {
    await assertRejects(
      () => collect(left.as(other).m(name)),
      KiteError,
      "the answer contains no stream",
    );
  }
  await assertRejects(() => collect(left.as(other).m("fail")), KiteError, "on purpose");
  const late = left.as(other).m("late", { timeout: 10 });
  await assertRejects(() => collect(late), KiteError, "No response");
  assertEquals(left.conversation.load, IDLE);
  right.close();
});

Deno.test("an invalid first credit is ignored", async () => {
  const session = new PipeSession();
  const side = new Side(session, { serve: () => count(3) });
  for (const credit of ["", "1 2", "-1 2 3", "1 2 3 4", "x y z", "99999999999 1 2", "0 1 2"]) {
    session.hear(JSON.stringify({
      method: "m",
      arguments: [{
        withArgs: [],
        responseCallback: "[Function]",
        meta: { "kite.stream": credit },
      }],
      callbacks: { 0: [0, "responseCallback"] },
    }));
  }
  await turn();
  const methods = session.sent.map((text) => JSON.parse(text).method);
  assertEquals(methods.filter((id) => id === 0).length, 7, "each is answered");
  // Credit of 0 is refused with the end of the stream.
  assertEquals(methods.filter((id) => id !== 0), [2]);
  side.close();
});
