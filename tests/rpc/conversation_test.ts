import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Callback } from "../../src/dnode/scrub.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { KiteRequest } from "../../src/rpc/request.ts";
import { converse, IDENTITY, PipeSession, Side, turn } from "./support.ts";

Deno.test("both sides call, within one conversation", async () => {
  const serve = ({ args, method }: KiteRequest) => [method, ...args.values];
  const [left, right] = converse({ serve }, { serve });
  assertEquals(await Promise.all([left.tell("a", 1), right.tell("b")]), [["a", 1], ["b"]]);
  assertEquals(right.identity, { ...IDENTITY });
  left.close();
});

Deno.test("idle: resolves for everyone who waits", async () => {
  const gate = Promise.withResolvers<void>();
  const [left, right] = converse({}, { serve: () => gate.promise });
  await right.conversation.idle(10_000);
  const call = left.tell("m");
  await turn();
  const order: string[] = [];
  const waits = [20, 10_000, 10_000].map((deadline, i) =>
    right.conversation.idle(deadline).then(() => order.push(`${i}`))
  );
  await waits[0];
  assertEquals(order, ["0"], "its deadline came");
  gate.resolve();
  await Promise.all([...waits, call]);
  assertEquals(order, ["0", "1", "2"]);
  left.close();
});

Deno.test("the end of a session resolves idle, and aborts running requests", async () => {
  const signals: AbortSignal[] = [];
  const requests: KiteRequest[] = [];
  const [left, right] = converse({}, {
    serve: (request) => {
      requests.push(request);
      if (request.method === "m") signals.push(request.signal);
      return new Promise(() => {});
    },
  });
  const call = left.tell("m", () => {});
  const other = left.tell("n");
  await turn();
  const idle = right.conversation.idle(10_000);
  right.close();
  await assertRejects(() => call, KiteError, "Remote kite has disconnected");
  await assertRejects(() => other, KiteError, "Remote kite has disconnected");
  await idle;
  assertEquals(signals.map(({ aborted }) => aborted), [true]);
  assertEquals(requests[1]!.signal.aborted, true, "also for those who ask later");
  assertEquals(left.conversation.load, { pending: 0, callbacks: 0, running: 0, streams: 0 });
  await assertRejects(() => left.tell("m"), KiteError, "Remote kite has disconnected");
});

Deno.test("a request without a response callback runs and gets no answer", async () => {
  const ran: string[] = [];
  const session = new PipeSession();
  const side = new Side(session, {
    serve: ({ method }) => {
      ran.push(method);
      if (method === "throws") throw new Error("on purpose");
      if (method === "rejects") return Promise.reject(new Error("on purpose"));
      return "result";
    },
  });
  for (const method of ["plain", "throws", "rejects"]) {
    session.hear(JSON.stringify({ method, arguments: [{ withArgs: [] }] }));
  }
  await turn();
  assertEquals(ran, ["plain", "throws", "rejects"]);
  assertEquals(session.sent, []);
  assertEquals(side.reports.length, 2);
  side.close();
});

Deno.test("a result that JSON cannot represent is answered with an error that gives the reason", async () => {
  const cycle: unknown[] = [];
  cycle.push(cycle);
  const results: Record<string, unknown> = {
    infinity: { a: [Infinity] },
    bigint: 5n,
    cycle,
    toJSON: {
      toJSON() {
        throw new TypeError("not for sending");
      },
    },
  };
  const [left] = converse({}, { serve: ({ method }) => results[method] });
  const errors = await Promise.all(
    Object.keys(results).map((method) =>
      left.tell(method).catch(({ type, message, id }: KiteError) => {
        assertEquals([type, id.length], ["genericError", 16]);
        return message;
      })
    ),
  );
  const send = "must be a finite number, string, boolean, null, array, plain object or function";
  assertEquals(errors, [
    `Cannot send Infinity at a.0: ${send}`,
    `Cannot send a bigint: ${send}`,
    "Cannot send a cycle at 0: JSON has no cycles",
    "Cannot read the value: not for sending",
  ]);
  left.close();
});

Deno.test("arguments that JSON cannot represent fail the call, and leave no functions in the table", async () => {
  const [left, right] = converse();
  await assertRejects(
    () => left.tell("m", () => {}, NaN),
    KiteError,
    "Cannot send NaN at 1: must be a finite number",
  );
  const broken = {
    toJSON() {
      throw new TypeError("not for sending");
    },
  };
  const error = await assertRejects(() => left.tell("m", () => {}, broken), KiteError) as KiteError;
  assertEquals(String(error), "argumentError: Cannot read the value at 1: not for sending");
  assertEquals(left.conversation.load, { pending: 0, callbacks: 0, running: 0, streams: 0 });
  assertEquals(await left.tell("m"), null);
  right.close();
});

Deno.test("a remote's function does nothing after the end of the session", async () => {
  let remote: Callback = () => {};
  const [left, right] = converse({}, {
    serve: ({ args }) => {
      remote = args.one().function();
    },
  });
  const heard: unknown[] = [];
  await left.tell("m", (value: unknown) => void heard.push(value));
  remote(1);
  await turn();
  assertThrows(() => remote(NaN), KiteError, "Cannot send NaN at 0: must be a finite number");
  left.close();
  await turn();
  remote(2);
  remote(NaN);
  await turn();
  assertEquals(heard, [1]);
  assertEquals(right.reports, []);
});

Deno.test("a second answer to a call is ignored", async () => {
  const session = new PipeSession();
  const side = new Side(session);
  const call = side.tell("m");
  const answer = (result: number) => `{"method":0,"arguments":[{"error":null,"result":${result}}]}`;
  for (const result of [1, 2, 3]) session.hear(answer(result));
  assertEquals(await call, 1);
  assertEquals(side.reports, [], "an unknown id is nothing to tell of");
  side.close();
});

Deno.test("a callback that throws is reported, and the conversation continues", async () => {
  const [left, right] = converse({}, {
    serve: ({ args }) => {
      for (const arg of args) arg.function()();
      return "done";
    },
  });
  const fail = () => {
    throw new Error("on purpose");
  };
  const reject = () => Promise.reject(new Error("on purpose"));
  assertEquals(await left.tell("m", fail, reject, fail), "done");
  await turn();
  assertEquals(left.reports, new Array(3).fill("a callback threw: Error: on purpose"));
  assertEquals(await left.tell("m"), "done");
  assert(right.session.isOpen);
  left.close();
});

Deno.test("an argument with a then member is not awaited", async () => {
  const [left] = converse({}, { serve: async ({ args }) => await args.values[0] });
  const calls: unknown[] = [];
  const then = (...args: unknown[]) => void calls.push(args);
  assertEquals(await left.tell("m", { then }), { then: "[Function]" });
  assertEquals(await left.tell("m", { then: 1 }), { then: 1 });
  await turn();
  assertEquals(calls, []);
  left.close();
});
