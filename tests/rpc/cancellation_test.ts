import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import type { KiteRequest } from "../../src/rpc/request.ts";
import { heapInUse } from "../security/heap.ts";
import { eventually } from "../support/eventually.ts";
import { converse, PipeSession, Side, type SideOptions, turn } from "./support.ts";

/** Two sides that know each other's extensions. */
async function acquainted(served: SideOptions, caller: SideOptions = {}): Promise<[Side, Side]> {
  const sides = converse(caller, served);
  await sides[0].tell("hello").catch(() => {});
  return sides;
}

/** Serves `wait`, which takes until its signal is aborted and rejects with the reason. */
function waiting(requests: KiteRequest[] = []): SideOptions {
  return {
    serve: (request) => {
      if (request.method !== "wait") return null;
      requests.push(request);
      const { signal } = request;
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    },
  };
}

function reasonOf({ signal }: KiteRequest): KiteError {
  assertInstanceOf(signal.reason, KiteError);
  return signal.reason;
}

Deno.test("an aborted call aborts the handler's signal, and the handler's error is not logged", async () => {
  const requests: KiteRequest[] = [];
  const [caller, served] = await acquainted(waiting(requests));
  const abort = new AbortController();
  const call = caller.tellWith({ signal: abort.signal }, "wait");
  await eventually(() => requests.length === 1);
  assertEquals(requests[0]!.signal.aborted, false);
  abort.abort(new Error("enough"));
  const { cause } = await assertRejects(() => call, KiteError, "the signal was aborted");
  assertEquals((cause as Error).message, "enough");
  await eventually(() => served.conversation.load.running === 0);
  const { type, message } = reasonOf(requests[0]!);
  assertEquals([type, message], ["aborted", 'The caller has cancelled "wait"']);
  assertEquals(served.reports, []);
  caller.close();
});

Deno.test("a caller's timeout aborts the handler's signal", async () => {
  const requests: KiteRequest[] = [];
  // Without a timeout in its message the handler can learn of it from the caller alone.
  const [caller, served] = await acquainted({
    serve: (request) => {
      requests.push(request);
      return request.method === "wait" ? new Promise(() => {}) : null;
    },
  });
  await assertRejects(() => caller.tellWith({ timeout: 20 }, "wait"), KiteError, "No response");
  await eventually(() => requests[1]!.signal.aborted);
  assertEquals(reasonOf(requests[1]!).type, "aborted");
  assertEquals(served.conversation.load.running, 1, "its handler has not ended");
  caller.close();
});

Deno.test("a deadline aborts the signal even if the caller sends no cancellation", async () => {
  const requests: KiteRequest[] = [];
  const session = new PipeSession();
  const side = new Side(session, waiting(requests));
  const before = Date.now();
  session.hear(JSON.stringify({
    method: "wait",
    arguments: [{ withArgs: [], timeout: 30, responseCallback: "[Function]" }],
    callbacks: { 5: [0, "responseCallback"] },
  }));
  const [request] = requests;
  assert(request!.deadline! >= before + 30 && request!.deadline! <= Date.now() + 30);
  await eventually(() => session.sent.length === 1);
  const { type, message } = JSON.parse(session.sent[0]!).arguments[0].error;
  assertEquals([type, message], ["timeout", 'The deadline of "wait" has passed']);
  side.close();
});

Deno.test("after the answer, the session aborts the signal, not the deadline", async () => {
  const requests: KiteRequest[] = [];
  const [caller, served] = converse({}, {
    serve: (request) => {
      requests.push(request);
      assertEquals(request.signal.aborted, false);
      return request.method === "now" ? 1 : Promise.resolve(2);
    },
  });
  await caller.tellWith({ timeout: 30 }, "now");
  await caller.tellWith({ timeout: 30 }, "later");
  await new Promise((resolve) => setTimeout(resolve, 60));
  assertEquals(requests.map(({ signal }) => signal.aborted), [false, false]);
  served.close();
  await eventually(() => requests.every(({ signal }) => signal.aborted));
  assertEquals(reasonOf(requests[0]!).type, "disconnect");
  caller.close();
});

Deno.test("the end of the session aborts the signals of the latest answered requests only", async () => {
  const requests: KiteRequest[] = [];
  const [caller, served] = converse({}, {
    serve: (request) => void (request.signal, requests.push(request)),
    limits: { callbacksPerSession: 3 },
  });
  for (let i = 0; i < 5; i++) await caller.tell("m");
  served.close();
  await turn();
  assertEquals(requests.map(({ signal }) => signal.aborted), [false, false, true, true, true]);
});

Deno.test("a request has no deadline if its caller waits without limit", async () => {
  const deadlines: unknown[] = [];
  const [caller] = converse({}, { serve: ({ deadline }) => void deadlines.push(deadline) });
  await caller.tellWith({ timeout: 0 }, "m");
  await caller.tellWith({ timeout: Infinity }, "m");
  assertEquals(deadlines, [undefined, undefined]);
  caller.close();
});

for (const timeout of ["1000", -1, 0, null, true, [5], { valueOf: 5 }]) {
  Deno.test(`an invalid timeout in a request is ignored: ${JSON.stringify(timeout)}`, () => {
    const deadlines: unknown[] = [];
    const session = new PipeSession();
    const side = new Side(session, { serve: ({ deadline }) => void deadlines.push(deadline) });
    session.hear(JSON.stringify({ method: "m", arguments: [{ withArgs: [], timeout }] }));
    assertEquals(deadlines, [undefined]);
    side.close();
  });
}

Deno.test("within: a call inherits the request's signal, remaining time and metadata", async () => {
  const inner: KiteRequest[] = [];
  const [middle, last] = await acquainted(waiting(inner));
  const ended = Promise.withResolvers<KiteError>();
  const [caller] = await acquainted({
    serve: async (request) => {
      if (request.method !== "wait") return null;
      await new Promise((resolve) => setTimeout(resolve, 20));
      const meta = { span: "2", extra: "x" };
      const call = middle.tellWith({ within: request, timeout: 60_000, meta }, "wait");
      return await call.catch((error) => {
        ended.resolve(error);
        throw error;
      });
    },
  });
  const abort = new AbortController();
  const before = Date.now();
  const meta = { trace: "1", span: "1" };
  const call = caller.tellWith({ signal: abort.signal, timeout: 5_000, meta }, "wait");
  await eventually(() => inner.length === 1);
  const [request] = inner;
  assertEquals({ ...request!.meta }, { trace: "1", span: "2", extra: "x" });
  const left = request!.deadline! - before;
  assert(left > 0 && left <= 5_000 + 50, `${left} ms are left`);
  abort.abort();
  await assertRejects(() => call, KiteError, "the signal was aborted");
  assertEquals((await ended.promise).type, "aborted");
  await eventually(() => request!.signal.aborted && last.conversation.load.running === 0);
  caller.close();
  middle.close();
});

Deno.test("within: a call keeps its own signal and shorter timeout", async () => {
  const inner: KiteRequest[] = [];
  const [middle] = await acquainted(waiting(inner));
  const scope = { signal: new AbortController().signal, deadline: Date.now() + 60_000, meta: {} };
  const abort = new AbortController();
  const call = middle.tellWith({ within: scope, signal: abort.signal, timeout: 10_000 }, "wait");
  await eventually(() => inner.length === 1);
  assert(inner[0]!.deadline! <= Date.now() + 10_000);
  abort.abort();
  await assertRejects(() => call, KiteError, "the signal was aborted");
  const late = { signal: AbortSignal.abort(), deadline: Date.now() - 1, meta: {} };
  await assertRejects(
    () => middle.tellWith({ within: late }, "wait"),
    KiteError,
    "the signal was aborted",
  );
  assertEquals(inner.length, 1);
  middle.close();
});

Deno.test("the very first call of a session is cancelled too, however early", async () => {
  for (const wait of [false, true]) {
    const requests: KiteRequest[] = [];
    const [caller, served] = converse({}, waiting(requests));
    const abort = new AbortController();
    const call = caller.tellWith({ signal: abort.signal }, "wait");
    if (wait) await eventually(() => requests.length === 1);
    abort.abort();
    await assertRejects(() => call, KiteError, "the signal was aborted");
    await eventually(() => requests[0]?.signal.aborted && served.conversation.load.running === 0);
    assertEquals(reasonOf(requests[0]!).type, "aborted");
    caller.close();
  }
});

Deno.test("a peer without the extension cancel/1 receives no cancellation", async () => {
  const session = new PipeSession();
  const side = new Side(session);
  const abort = new AbortController();
  const call = side.tellWith({ signal: abort.signal, timeout: 30 }, "m");
  const other = side.tellWith({ timeout: 30 }, "n");
  abort.abort();
  await assertRejects(() => call, KiteError, "the signal was aborted");
  await assertRejects(() => other, KiteError, "No response");
  assertEquals(session.sent.map((text) => JSON.parse(text).method), ["m", "n"]);
  side.close();
});

Deno.test("a cancelled call gets no answer, and counts as running until its handler has ended", async () => {
  const gate = Promise.withResolvers<string>();
  const session = new PipeSession();
  const side = new Side(session, { serve: () => gate.promise, limits: { inFlightRequests: 2 } });
  const ask = (id: number) =>
    session.hear(JSON.stringify({
      method: "m",
      arguments: [{ withArgs: [], responseCallback: "[Function]" }],
      callbacks: { [id]: [0, "responseCallback"] },
    }));
  const cancel = (...args: unknown[]) =>
    session.hear(JSON.stringify({ method: "kite.cancel", arguments: [{ withArgs: args }] }));
  ask(1);
  ask(2);
  cancel(1);
  cancel(2);
  cancel(2);
  cancel(77);
  ask(3);
  const [refused] = session.sent.map((text) => JSON.parse(text));
  assertEquals([refused.method, refused.arguments[0].error.type], [3, "requestLimitError"]);
  gate.resolve("done");
  await turn();
  assertEquals(session.sent.length, 1);
  assertEquals(side.conversation.load.running, 0);
  assertEquals(side.reports, []);
  for (const wrong of [[], ["1"], [-1], [1.5], [null], [{}]]) cancel(...wrong);
  assertEquals(side.reports.length, 6);
  ask(4);
  await turn();
  assertEquals(JSON.parse(session.sent[1]!).arguments[0].result, "done");
  side.close();
});

Deno.test("cancelling a response id that two calls share cancels only the later call", async () => {
  const requests: KiteRequest[] = [];
  const session = new PipeSession();
  const side = new Side(session, waiting(requests));
  const text = JSON.stringify({
    method: "wait",
    arguments: [{ withArgs: [], responseCallback: "[Function]" }],
    callbacks: { 1: [0, "responseCallback"] },
  });
  session.hear(text);
  session.hear(text);
  session.hear('{"method":"kite.cancel","arguments":[{"withArgs":[1]}]}');
  await turn();
  assertEquals(requests.map(({ signal }) => signal.aborted), [false, true]);
  side.close();
});

Deno.test("metadata: values other than strings are dropped, and prototypes are not changed", () => {
  const received: unknown[] = [];
  const session = new PipeSession();
  const side = new Side(session, {
    serve: ({ meta }) => {
      assertEquals(Object.getPrototypeOf(meta), null);
      received.push({ ...meta });
    },
  });
  for (const meta of ['{"a":"1","b":2,"c":null,"__proto__":"x"}', "[]", '"a"', "null", "{}"]) {
    session.hear(`{"method":"m","arguments":[{"withArgs":[],"meta":${meta}}]}`);
  }
  assertEquals(JSON.stringify(received), '[{"a":"1","__proto__":"x"},{},{},{},{}]');
  side.close();
});

Deno.test("metadata: too many entries and too many bytes are refused on both sides", async () => {
  const limits = { metadataEntries: 2, metadataBytes: 10 };
  const [caller] = converse({}, { serve: ({ meta }) => Object.keys(meta).length, limits });
  assertEquals(await caller.tellWith({ meta: { a: "1", b: "1234567" } }, "m"), 2);
  const many = { a: "", b: "", c: "" };
  const long = { a: "é".repeat(5) };
  await assertRejects(() => caller.tellWith({ meta: many }, "m"), KiteError, "metadataEntries");
  await assertRejects(() => caller.tellWith({ meta: long }, "m"), KiteError, "metadataBytes");
  caller.close();
  const [careful] = converse({ limits }, {});
  await assertRejects(() => careful.tellWith({ meta: many }, "m"), KiteError, "metadataEntries");
  await assertRejects(() => careful.tellWith({ meta: long }, "m"), KiteError, "metadataBytes");
  careful.close();
});

Deno.test("100,000 cancelled calls leave nothing behind on either side", async () => {
  const [caller, served] = await acquainted({
    serve: ({ method, signal }) =>
      method !== "wait" ? null : new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve("too late"), { once: true });
      }),
  });
  const cancelled = async (calls: number): Promise<void> => {
    for (let done = 0; done < calls; done += 500) {
      const abort = new AbortController();
      const waits = Array.from(
        { length: 500 },
        () => caller.tellWith({ signal: abort.signal }, "wait", () => {}).catch(() => {}),
      );
      await turn();
      abort.abort();
      await Promise.all(waits);
      // Otherwise, on a busy machine, the calls arrive faster than they are served.
      await caller.tellWith({ timeout: 0 }, "hello");
    }
  };
  await cancelled(2_000);
  const before = await heapInUse();
  await cancelled(100_000);
  const nothing = { pending: 0, callbacks: 0, running: 0, streams: 0 };
  await eventually(() => served.conversation.load.running === 0);
  assertEquals(caller.conversation.load, nothing);
  assertEquals(served.conversation.load, nothing);
  const growth = await heapInUse() - before;
  assert(growth < 2_000_000, `the heap has grown by ${growth} bytes`);
  caller.close();
});
