import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { KiteError } from "../../../../src/protocol/errors.ts";
import { DEFAULT_LIMITS } from "../../../../src/protocol/limits.ts";
import { type DialOptions, dialSession } from "../../../../src/transport/dial_session.ts";
import type { Session } from "../../../../src/transport/session.ts";
import { eventually } from "../../../support/eventually.ts";
import { Recorder, within } from "../../support.ts";

const limits = DEFAULT_LIMITS;

/** Answers the n-th poll (from 0), or the n-th `xhr_send` with that body. */
interface XhrScript {
  readonly poll: (count: number, request: Request) => Response | Promise<Response>;
  readonly send?: (body: string, count: number, request: Request) => Response | Promise<Response>;
}

interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  /** The most polls that were under way at once; the same of POSTs. */
  readonly most: { readonly polls: number; readonly sends: number };
}

function serve(script: XhrScript): ScriptedServer {
  const most = { polls: 0, sends: 0 };
  let polls = 0, sends = 0, pollCount = 0, sendCount = 0;
  const stop = new AbortController();
  const server = Deno.serve(
    {
      hostname: "127.0.0.1",
      port: 0,
      signal: stop.signal,
      onListen: () => {},
      onError: () => ok(),
    },
    async (request) => {
      if (request.url.endsWith("/xhr")) {
        most.polls = Math.max(most.polls, ++polls);
        try {
          return await script.poll(pollCount++, request);
        } finally {
          polls--;
        }
      }
      most.sends = Math.max(most.sends, ++sends);
      try {
        const body = await request.text();
        return await (script.send ?? (() => ok(204)))(body, sendCount++, request);
      } finally {
        sends--;
      }
    },
  );
  return {
    url: `http://127.0.0.1:${server.addr.port}/kite`,
    most,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await server.finished;
    },
  };
}

function ok(status = 200): Response {
  return new Response(null, { status });
}

/** An answer that comes only when the client has given up. */
function never(request: Request): Promise<Response> {
  return new Promise((resolve) => {
    request.signal.addEventListener("abort", () => resolve(ok()), { once: true });
  });
}

/** Answers the first polls with `bodies`, one each, and the next never. */
function polls(...bodies: (string | Response)[]): XhrScript["poll"] {
  return (count, request) => {
    const body = bodies[count];
    if (body === undefined) return never(request);
    return typeof body === "string" ? new Response(body) : body;
  };
}

function dial(server: ScriptedServer, options: Partial<DialOptions> = {}): Promise<Session> {
  return dialSession(server.url, { transport: "XHRPolling", limits, ...options });
}

Deno.test("XHR: refuses a first answer that opens no session, with the reason", async () => {
  const cases: [string | Response, RegExp][] = [
    [ok(404), /^Cannot find a kite at .*: the server answered with HTTP status 404$/],
    [ok(500), /HTTP status 500/],
    ["<html>", /not an `o` frame/],
    ["", /not an `o` frame/],
    ["a[]\n", /not an `o` frame/],
    ['c[2010,"Another connection still open"]\n', /2010 Another connection still open/],
  ];
  for (const [answer, fault] of cases) {
    await using server = serve({ poll: polls(answer) });
    const error = await assertRejects(() => dial(server), KiteError) as KiteError;
    assertEquals(error.type, "sendError");
    assertMatch(error.message, fault);
  }
});

Deno.test("XHR: reads every frame, also several in one answer", async () => {
  await using server = serve({
    poll: polls(
      'o\na["1"]\n',
      "h\n",
      'a["2","3"]\n',
      'm"4"\n',
      "",
      'a["5"]\na["6"]\n',
      'a["7"]',
      'c[4000,"bye"]\n',
    ),
  });
  const recorder = new Recorder(await dial(server));
  assertEquals(await recorder.closed(), { code: 4000, reason: "bye" });
  assertEquals(recorder.messages, ["1", "2", "3", "4", "5", "6", "7"]);
  assertEquals(server.most.polls, 1);
});

Deno.test("XHR: a failed poll ends the session with the reason", async () => {
  const broken = new ReadableStream({
    pull: (controller) => controller.error(new Error("cut")),
  });
  const cases: [string | Response, number, RegExp][] = [
    [ok(404), 1006, /does not know the session/],
    [ok(503), 1006, /HTTP status 503/],
    ["o\n", 1006, /lost the session/],
    ["nonsense\n", 1002, /broken frame/],
    ['a["x"\n', 1002, /broken frame/],
    [new Response(broken), 1006, /the poll failed/],
  ];
  for (const [answer, code, reason] of cases) {
    await using server = serve({ poll: polls("o\n", answer) });
    const recorder = new Recorder(await dial(server));
    const end = await recorder.closed();
    assertEquals(end.code, code);
    assertMatch(end.reason, reason);
    assertEquals(recorder.messages, []);
  }
});

Deno.test("XHR: an endless answer is cancelled and its connection closed", async () => {
  const cancelled = Promise.withResolvers<void>();
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 10_000;
      controller.enqueue(new Uint8Array(10_000).fill(0x61));
    },
    cancel: () => cancelled.resolve(),
  });
  await using server = serve({ poll: polls("o\n", new Response(endless)) });
  const session = await dial(server, { limits: { ...limits, messageBytes: 10_000 } });
  assertEquals((await new Recorder(session).closed()).code, 1009);
  await within(cancelled.promise, "the cancellation");
  assert(sent < 50_000_000);
});

Deno.test("XHR: a poll without an answer ends the session after idleTimeout", async () => {
  await using server = serve({ poll: polls("o\n") });
  const start = performance.now();
  const recorder = new Recorder(await dial(server, { idleTimeout: 100 }));
  assertEquals(await recorder.closed(), {
    code: 1006,
    reason: "the peer was silent for too long",
  });
  assert(performance.now() - start < 2_000);
});

Deno.test("XHR: heartbeats keep a silent session alive", async () => {
  let heartbeats = 0;
  await using server = serve({
    poll: async (count, request) => {
      if (count === 0) return new Response("o\n");
      if (count > 6) return never(request);
      await new Promise((resolve) => setTimeout(resolve, 50));
      heartbeats++;
      return new Response("h\n");
    },
  });
  const recorder = new Recorder(await dial(server, { idleTimeout: 250 }));
  assertEquals((await recorder.closed()).code, 1006);
  assertEquals(heartbeats, 6);
});

Deno.test("XHR: a failed xhr_send ends the session", async () => {
  const cases: [NonNullable<XhrScript["send"]>, RegExp][] = [
    [() => ok(404), /xhr_send: HTTP status 404/],
    [() => ok(500), /xhr_send: HTTP status 500/],
    [(_body, _count, request) => never(request), /xhr_send was not answered/],
  ];
  for (const [send, reason] of cases) {
    let heartbeat: ReturnType<typeof setInterval> | undefined;
    await using server = serve({
      send,
      poll: (count, request) => {
        if (count === 0) return new Response("o\n");
        return new Promise((resolve) => {
          heartbeat = setTimeout(() => resolve(new Response("h\n")), 20);
          request.signal.addEventListener("abort", () => resolve(ok()), { once: true });
        });
      },
    });
    const session = await dial(server, { idleTimeout: 150 });
    const recorder = new Recorder(session);
    session.send("x");
    const end = await recorder.closed();
    clearTimeout(heartbeat);
    assertEquals(end.code, 1006);
    assertMatch(end.reason, reason);
  }
});

Deno.test("XHR: sends one POST at a time, with all waiting messages; accepts 200 and 204", async () => {
  const bodies: string[] = [];
  const first = Promise.withResolvers<Response>();
  await using server = serve({
    poll: polls("o\n"),
    send: (body, count) => {
      bodies.push(body);
      return count === 0 ? first.promise : ok(204);
    },
  });
  const session = await dial(server);
  const recorder = new Recorder(session);
  for (let turn = 0; turn < 20; turn++) {
    session.send(`${turn}a`);
    session.send(`${turn}b`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await eventually(() => bodies.length > 0);
  assert(session.bufferedAmount > 0);
  session.close();
  first.resolve(new Response("ok"));
  assertEquals((await recorder.closed()).code, 3000);
  const rest = Array.from({ length: 19 }, (_, turn) => [`${turn + 1}a`, `${turn + 1}b`]).flat();
  assertEquals(bodies.map((body) => JSON.parse(body)), [["0a", "0b"], rest]);
  assertEquals(server.most, { polls: 1, sends: 1 });
  assertEquals(session.bufferedAmount, 0);
});

Deno.test("XHR: close waits at most two seconds for a POST", async () => {
  await using server = serve({
    poll: polls("o\n"),
    send: (_body, _count, request) => never(request),
  });
  const session = await dial(server);
  const recorder = new Recorder(session);
  session.send("x");
  const start = performance.now();
  session.close(4000, "bye");
  assertEquals(await recorder.closed(), { code: 4000, reason: "bye" });
  const ms = performance.now() - start;
  assert(ms > 1_900 && ms < 3_500, `${ms} ms`);
});
