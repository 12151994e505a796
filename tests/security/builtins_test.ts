import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import type { Client } from "../../src/client.ts";
import type { Kite } from "../../src/kite.ts";
import type { KiteOptions } from "../../src/kite_options.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { connectKites, FakeClock } from "../../src/testing/mod.ts";
import { eventually } from "../support/eventually.ts";
import { callingKite, keepingLogger, targetKite } from "./kites.ts";

const RISKY: [string, unknown[]][] = [
  ["kite.print", ["text"]],
  ["kite.prompt", ["text"]],
  ["kite.getPass", ["text"]],
  ["kite.notify", ["subtitle", "text", "title"]],
  ["kite.tunnel", [{ url: "http://127.0.0.1:9/kite" }]],
];

async function between(
  run: (client: Client, kite: Kite, url: string) => Promise<void>,
  options: KiteOptions = {},
): Promise<void> {
  const kite = targetKite(options);
  await using server = await kite.listen();
  await using client = callingKite({ username: "caller" }).newClient(server.url);
  await client.dial();
  await run(client, kite, server.url);
}

async function failure(call: Promise<unknown>): Promise<string> {
  const error = await assertRejects(() => call, KiteError) as KiteError;
  return `${error.type}: ${error.message}`;
}

Deno.test("the built-ins that reach the terminal or the network are refused unless enabled", () =>
  between(async (client) => {
    for (const [method, args] of RISKY) {
      assertEquals(
        await failure(client.tell(method, ...args)),
        `notAllowed: Cannot call ${method}: not enabled for this caller`,
      );
    }
  }));

Deno.test("a built-in's permission may depend on the request", () =>
  between(async (client) => {
    // What the permission lets through is refused by the method itself: nothing is printed.
    assertEquals(
      await failure(client.tell("kite.print", 5)),
      'argumentError: Cannot call "kite.print": argument must be a string, got a number',
    );
    assertEquals(
      await failure(client.tell("kite.getPass", "x")),
      "notAllowed: Cannot call kite.getPass: not enabled for this caller",
    );
    assert((await failure(client.tell("kite.prompt", "x"))).startsWith("notAllowed: "));
  }, {
    builtins: {
      "kite.print": ({ username }) => username === "caller",
      "kite.getPass": () => Promise.resolve(false),
    },
  }));

Deno.test("built-ins other than ping and echo want authentication", () =>
  between(async (client) => {
    assertEquals(await client.tell("kite.ping"), "pong");
    assertEquals(await client.tell("kite.echo", { a: [1] }), { a: [1] });
    assertEquals(await client.tell("kite.echo"), null);
    const methods = [
      "kite.heartbeat",
      "kite.systemInfo",
      "kite.log",
      ...RISKY.map(([name]) => name),
    ];
    for (const method of methods) {
      assertEquals(
        await failure(client.tell(method)),
        "authenticationError: No authentication information is provided",
      );
    }
  }, { disableAuthentication: false }));

Deno.test("kite.log reaches the kite's log with the caller's name", async () => {
  const lines: string[] = [];
  const keep = (message: string, details?: Record<string, unknown>): void =>
    void lines.push(`${message} ${JSON.stringify(details ?? {})}`);
  const logger = { ...keepingLogger(), info: keep };
  await between(async (client) => {
    assertEquals(await client.tell("kite.log", "hello {name}"), null);
    assertEquals(
      await failure(client.tell("kite.log")),
      'argumentError: Cannot call "kite.log": expected 1 argument, got 0',
    );
  }, { logger });
  assertEquals(lines.filter((line) => line.includes("hello") && line.includes("caller")).length, 1);
});

Deno.test("kite.systemInfo tells of the machine", () =>
  between(async (client) => {
    const info = await client.tell<Record<string, unknown>>("kite.systemInfo");
    assertEquals(info.state, "RUNNING");
    for (const field of ["diskUsage", "diskTotal", "memoryUsage", "totalMemoryLimit"]) {
      assert(Number.isFinite(info[field]), field);
    }
    for (const field of ["homeDir", "uname"]) assertEquals(typeof info[field], "string", field);
  }));

Deno.test("kite.heartbeat: pings immediately, then at every interval, until the session ends", async () => {
  using clock = new FakeClock();
  await using stack = new AsyncDisposableStack();
  const caller = stack.use(callingKite());
  const { client } = stack.use(await connectKites(caller, stack.use(targetKite())));
  let first = 0;
  let second = 0;
  await client.tell("kite.heartbeat", 10, () => first++);
  assertEquals(first, 1, "before the answer");
  await client.tell("kite.heartbeat", 10, () => second++);
  assertEquals([first, second], [1, 1]);
  await clock.tick(9_999);
  assertEquals(second, 1);
  await clock.tick(1);
  assertEquals([first, second], [1, 2], "a later request replaces the former");
  await clock.tick(86_400_000);
  assertEquals(second, 2 + 8_640);
  await client.close();
  await clock.tick(60_000);
  assertEquals(second, 2 + 8_640);
});

Deno.test("kite.heartbeat refuses intervals that would flood or never come", () =>
  between(async (client) => {
    for (const seconds of [0, 0.1, -1, 86_401, 1e300]) {
      assertEquals(
        await failure(client.tell("kite.heartbeat", seconds, () => {})),
        `argumentError: Cannot use heartbeat interval ${seconds}: must be a number of seconds from 1 to 86400`,
      );
    }
    assertEquals(
      await failure(client.tell("kite.heartbeat", 1, "no function")),
      'argumentError: Cannot call "kite.heartbeat": argument 2 must be a function, got a string',
    );
  }));

Deno.test("signalling messages pass between two kites, each under its own id", () =>
  between(async (_client, kite, url) => {
    const [alice, bob] = [callingKite(), callingKite()];
    const heard: unknown[] = [];
    for (const one of [alice, bob]) {
      one.handle("kite.handleWebRTC", ({ args }) => void heard.push(args.one().value));
    }
    await using a = alice.newClient(url);
    await using b = bob.newClient(url);
    await Promise.all([a.dial(), b.dial()]);
    const send = (from: Client, message: unknown) => from.tell("kite.handleWebRTC", message);
    const offer = { type: "OFFER", src: "forged", dst: bob.id, payload: { sdp: "x" } };
    assertEquals(await failure(send(a, offer)), "genericError: dst not registered");
    assertEquals(await failure(send(b, { type: "OFFER" })), "genericError: dst not set");
    await send(a, offer);
    await send(b, { type: "ANSWER", dst: alice.id, payload: null });
    assertEquals(heard, [
      { ...offer, src: alice.id },
      { type: "ANSWER", dst: alice.id, payload: null, src: bob.id },
    ]);
    heard.length = 0;
    // As in Go: any text, or none.
    for (const type of ["SHOUT", "", null, undefined]) await send(a, { ...offer, type });
    assertEquals(heard.length, 4);
    assertMatch(
      await failure(send(a, { ...offer, type: 7 })),
      /^argumentError: Cannot call "kite\.handleWebRTC": argument\.type must be a string/,
    );
    b.close();
    await eventually(() => kite.connections.size === 2);
    assertEquals(await failure(send(a, offer)), "genericError: dst not registered");
  }, { webrtc: true }));

Deno.test("kite.handleWebRTC does not exist unless it is enabled", () =>
  between(async (client) => {
    assertEquals(
      await failure(client.tell("kite.handleWebRTC", { type: "OFFER", dst: "x" })),
      "methodNotFound: Method not found: kite.handleWebRTC",
    );
  }));

Deno.test("a connection cannot take over an id that another user's kite has", () =>
  between(async (_client, _kite, url) => {
    const victim = callingKite({ username: "victim" });
    const thief = callingKite({ username: "thief", id: victim.id });
    victim.handle("kite.handleWebRTC", () => null);
    await using one = victim.newClient(url);
    await using two = thief.newClient(url);
    await Promise.all([one.dial(), two.dial()]);
    const message = { type: "OFFER", dst: victim.id };
    await one.tell("kite.handleWebRTC", message);
    assertEquals(
      await failure(two.tell("kite.handleWebRTC", message)),
      "genericError: Cannot forward the message: src belongs to another user",
    );
  }, { webrtc: true }));
