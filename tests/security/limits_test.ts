import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import type { Client } from "../../src/client.ts";
import type { Kite } from "../../src/kite.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import type { Limits } from "../../src/protocol/limits.ts";
import type { KiteRequest } from "../../src/rpc/request.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";
import { callingKite, keepingLogger, targetKite } from "./kites.ts";
import { Wire } from "./wire.ts";

/** Runs a test with a kite of some limits and a client of some others, over both kinds of messages. */
async function between(
  served: Partial<Limits>,
  calling: Partial<Limits>,
  run: (client: Client, kite: Kite, url: string) => Promise<void>,
): Promise<void> {
  for (const compact of [false, true]) {
    const kite = targetKite({ limits: served, compact });
    await using server = await kite.listen();
    await using client = callingKite({ limits: calling }).newClient(server.url);
    await client.dial();
    // The first call is plain, whatever follows.
    if (compact) await client.tell("whoami");
    await run(client, kite, server.url);
  }
}

async function failure(call: Promise<unknown>): Promise<string> {
  const error = await assertRejects(() => call, KiteError) as KiteError;
  return error.id === "" ? String(error) : String(error).replace(` (${error.id})`, "");
}

function endOf(client: Client): Promise<number> {
  return new Promise((resolve) => void client.onDisconnect(({ code }) => resolve(code)));
}

Deno.test("messageBytes: a longer message ends the session with 1009", () =>
  between({ messageBytes: 1_000 }, {}, async (client, kite) => {
    assertEquals(await client.tell("echo", "x".repeat(500)), "x".repeat(500));
    const end = endOf(client);
    assertEquals(
      await failure(client.tell("echo", "x".repeat(1_000))),
      "disconnect: Remote kite has disconnected: connection closed: 1009, Message too big",
    );
    assertEquals(await end, 1009);
    await eventually(() => kite.connections.size === 0);
  }));

Deno.test("messageBytes: bytes of UTF-8 count, not characters", () =>
  between({ messageBytes: 1_000 }, {}, async (client) => {
    const end = endOf(client);
    client.tell("echo", "€".repeat(350)).catch(() => {});
    assertEquals(await end, 1009);
  }));

Deno.test("messageBytes: a longer outgoing message is refused before it is sent", () =>
  between({}, { messageBytes: 1_000 }, async (client) => {
    const reason =
      "limitError: Cannot send a message: larger than 1000 bytes (limit: messageBytes)";
    assertEquals(await failure(client.tell("echo", "x".repeat(1_000))), reason);
    assertEquals(await failure(client.tell("echo", "€".repeat(350), () => {})), reason);
    assertEquals(client.load, { pending: 0, callbacks: 0, running: 0, streams: 0, waiting: 0 });
    assertEquals(await client.tell("square", 3), 9);
  }));

Deno.test("messageBytes: an answer that is too long becomes a limitError", () =>
  between({ messageBytes: 1_000 }, {}, async (client, kite) => {
    kite.handle("big", () => "x".repeat(1_000));
    kite.handle("bad", () => {
      throw new Error("x".repeat(1_000));
    });
    assertEquals(
      await failure(client.tell("big")),
      "limitError: Cannot send a message: larger than 1000 bytes (limit: messageBytes)",
    );
    assertEquals(
      await failure(client.tell("bad")),
      "Cannot send the error: larger than 1000 bytes (limit: messageBytes)",
    );
  }));

function nested(depth: number): unknown {
  let value: unknown = [];
  for (let i = 1; i < depth; i++) value = [value];
  return value;
}

Deno.test("nesting: a deeper message is answered with a limitError", () =>
  between({ nesting: 200 }, {}, async (client) => {
    assertEquals(await client.tell("echo", nested(196)), nested(196));
    assertEquals(
      await failure(client.tell("echo", nested(197))),
      "limitError: message nested deeper than 200 (limit: nesting)",
    );
    assertEquals(await client.tell("square", 3), 9);
  }));

Deno.test("nesting: a kite accepts what another one with the same limit sends", () =>
  between({ nesting: 40 }, { nesting: 40 }, async (client, kite) => {
    assertEquals(await client.tell("echo", nested(36)), nested(36));
    assertEquals(
      await failure(client.tell("echo", nested(37))),
      "limitError: Cannot send the value: nested deeper than 37 at 0.0.0.0.0.0.0.0… (limit: nesting)",
    );
    kite.handle("deep", () => nested(38));
    assertEquals(
      await failure(client.tell("deep")),
      "limitError: Cannot send the value: nested deeper than 37 at 0.0.0.0.0.0.0.0… (limit: nesting)",
    );
  }));

Deno.test("callbacksPerMessage: more are answered with a limitError, or not sent", async () => {
  const functions = (count: number) => Array.from({ length: count }, () => () => {});
  await between({ callbacksPerMessage: 5 }, {}, async (client) => {
    await client.tell("kite.ping", functions(5));
    assertEquals(
      await failure(client.tell("kite.ping", functions(6))),
      "limitError: more than 5 callbacks (limit: callbacksPerMessage)",
    );
  });
  await between({}, { callbacksPerMessage: 5 }, async (client) => {
    assertEquals(
      await failure(client.tell("kite.ping", functions(6))),
      "limitError: Cannot send 6 functions in one message: must be at most 5 (limit: callbacksPerMessage)",
    );
    assertEquals(client.load.callbacks, 0);
  });
});

Deno.test("callbacksPerSession: a table full of functions in use refuses calls", () =>
  between({}, { callbacksPerSession: 3 }, async (client, kite) => {
    // The kite keeps them: a function that it drops is released once it is garbage collected.
    const kept: unknown[] = [];
    kite.handle("keep", ({ args }) => void kept.push(args.one().value));
    const functions = Array.from({ length: 4 }, () => () => {});
    const tell = (one?: () => void) => client.tellWith({ callbacks: "session" }, "keep", one);
    for (const one of functions.slice(0, 3)) await tell(one);
    assertEquals(
      await failure(tell(functions[3])),
      "limitError: Cannot send a function: the remote holds 3 already (limit: callbacksPerSession); " +
        "release those that it no longer needs",
    );
    assertEquals(
      (await failure(client.tell("keep", functions[3]))).split(":")[0],
      "limitError",
    );
    assertEquals(client.release(functions[0]!), true);
    await tell(functions[3]);
    assertEquals([client.load.callbacks, kept.length], [3, 4]);
  }));

Deno.test("callbacksPerSession: any number of calls may send a function, and the owner is warned", async () => {
  const logger = keepingLogger();
  const warnings: unknown[] = [];
  const warning = (_message: string, details?: Record<string, unknown>): void =>
    void warnings.push(details?.what);
  const kite = targetKite();
  kite.handle("calls", ({ args }) => void args.one().function()("now"));
  let keep: ((text: string) => void) | undefined;
  kite.handle("keep", ({ args }) => {
    keep = args.one().function();
  });
  await using server = await kite.listen();
  const calling = callingKite({
    limits: { callbacksPerSession: 50 },
    logger: { ...logger, warning },
  });
  await using client = calling.newClient(server.url);
  await client.dial();
  let heard = 0;
  const kept: string[] = [];
  const pinned: string[] = [];
  await client.tell("keep", (text: string) => void kept.push(text));
  const keepAuto = keep!;
  await client.tellWith({ callbacks: "session" }, "keep", (text: string) => void pinned.push(text));
  const keepPinned = keep!;
  for (let i = 0; i < 500; i++) {
    await client.tell("calls", () => void heard++);
    if (i % 20 === 0) keepAuto("used");
    assert(client.load.callbacks <= 50);
  }
  assertEquals(heard, 500);
  keepPinned("late");
  keepAuto("late");
  await client.tell("kite.ping");
  assertEquals(pinned, ["late"]);
  assertEquals(kept, [...new Array(25).fill("used"), "late"], "what is used is not freed");
  assertEquals(warnings.length, 1);
  assert(String(warnings[0]).startsWith("the remote holds 40 functions of at most 50"));
});

Deno.test("callbacksPerSession: a result above the limit becomes a limitError", () =>
  between({ callbacksPerSession: 3 }, {}, async (client, kite) => {
    kite.handle("give", () => () => {});
    for (let i = 0; i < 3; i++) assertEquals(typeof await client.tell("give"), "function");
    assertEquals(
      await failure(client.tell("give")),
      "limitError: Cannot send a function: the remote holds 3 already (limit: callbacksPerSession); " +
        "release those that it no longer needs",
    );
    assertEquals(await client.tell("square", 3), 9);
  }));

Deno.test("queuedCallbacks: a peer that floods async callbacks is closed with 3008", () =>
  between({}, { queuedCallbacks: 3 }, async (client, kite) => {
    kite.handle("flood", ({ args }) => {
      const callback = args.one().function();
      for (let i = 0; i < 5; i++) callback(i);
    });
    const seen: number[] = [];
    const end = endOf(client);
    const gate = Promise.withResolvers<void>();
    await client.tell("flood", async (i: number) => {
      seen.push(i);
      await gate.promise;
    }).catch(() => {});
    assertEquals(await end, 3008);
    gate.resolve();
    await eventually(() => kite.connections.size === 0);
    assertEquals(seen, [0], "what waited is forgotten");
  }));

Deno.test("inFlightRequests: further ones are answered requestLimitError", () =>
  between({ inFlightRequests: 2 }, {}, async (client, kite) => {
    const gate = Promise.withResolvers<string>();
    kite.handle("wait", () => gate.promise);
    const running = [client.tell("wait"), client.tell("wait")];
    const reason = "requestLimitError: 2 requests are running already (limit: inFlightRequests)";
    assertEquals(await failure(client.tell("square", 3)), reason);
    gate.resolve("done");
    assertEquals(await Promise.all(running), ["done", "done"]);
    assertEquals(await client.tell("square", 3), 9);
  }));

Deno.test("pendingCalls: further ones fail at once", () =>
  between({}, { pendingCalls: 2 }, async (client, kite) => {
    const gate = Promise.withResolvers<string>();
    kite.handle("wait", () => gate.promise);
    const running = [client.tell("wait"), client.tell("wait")];
    const reason = "limitError: 2 calls wait already (limit: pendingCalls)";
    assertEquals(await failure(client.tell("square", 3)), reason);
    gate.resolve("done");
    await Promise.all(running);
    assertEquals(await client.tell("square", 3), 9);
  }));

Deno.test("waitingCalls: further ones fail while there is no connection", async () => {
  const kite = callingKite({ limits: { waitingCalls: 2 } });
  const url = `http://127.0.0.1:${freePort()}/kite`;
  await using client = kite.newClient(url);
  const dialling = client.dialForever().catch((error: KiteError) => error.type);
  const waiting = [1, 2].map(() => client.tell("square").catch((error) => String(error)));
  assertEquals(
    await failure(client.tell("square", 3)),
    "disconnect: not connected, and 2 calls wait already (limit: waitingCalls)",
  );
  assertEquals(client.load.waiting, 2);
  client.close();
  const closed = `disconnect: Not connected to ${url}: the client was closed`;
  assertEquals(await Promise.all(waiting), [closed, closed]);
  assert(["aborted", "disconnect"].includes(await dialling as string));
});

Deno.test("outgoingBytes: a reader that does not read is closed with 1013", async () => {
  const kite = targetKite({ limits: { outgoingBytes: 200_000 } });
  await using server = await kite.listen();
  kite.handle("flood", ({ args, signal }: KiteRequest) => {
    const callback = args.one().function();
    const timer = setInterval(() => callback("x".repeat(50_000)), 1);
    signal.addEventListener("abort", () => clearInterval(timer));
  });
  const ends: { code: number }[] = [];
  kite.onDisconnect((_connection, end) => ends.push(end));
  using peer = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const key = btoa("0123456789abcdef");
  await peer.write(new TextEncoder().encode(
    `GET /kite/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n` +
      `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  ));
  await peer.read(new Uint8Array(1_000));
  const text =
    '{"method":"flood","arguments":[{"withArgs":[0]}],"callbacks":{"1":[0,"withArgs",0]}}';
  const payload = new TextEncoder().encode(text);
  // A masked text frame; a mask of zeros leaves it as it is.
  await peer.write(new Uint8Array([0x81, 0x80 | payload.length, 0, 0, 0, 0, ...payload]));
  await eventually(() => ends.length > 0, { withinMs: 15_000, what: "the end" });
  assertEquals(ends.map(({ code }) => code), [1013]);
  assertEquals(kite.connections.size, 0);
});

Deno.test("sessions: further ones are refused with 503", () =>
  between({ sessions: 2 }, {}, async (client, kite, url) => {
    {
      await using second = await Wire.open(url, false);
      const refused = await fetch(`${url}/000/third/xhr`, { method: "POST" });
      assertEquals([refused.status, await refused.text()], [
        503,
        "This server accepts no more sessions.\n",
      ]);
      await assertRejects(() => Wire.open(url, true));
      const third = callingKite().newClient(url, { transport: "WebSocket" });
      await assertRejects(() => third.dial(), KiteError);
      assertEquals((await second.call(1, "square", 2)).arguments[0].result, 4);
    }
    await eventually(() => kite.connections.size === 1);
    await using again = await Wire.open(url, true);
    assertEquals((await again.call(1, "square", 2)).arguments[0].result, 4);
    assertEquals(await client.tell("square", 3), 9);
  }));

Deno.test("firstMessage: a session that never says anything is closed with 3008", async () => {
  const kite = targetKite({ limits: { firstMessage: 60 } });
  await using server = await kite.listen();
  await using silent = await Wire.open(server.url, true);
  await using talking = await Wire.open(server.url, true);
  await talking.call(1, "square", 2);
  const { code, reason } = await silent.ended;
  assertEquals([code, reason], [3008, "no message within 60 ms (limit: firstMessage)"]);
  assertEquals((await talking.call(2, "square", 3)).arguments[0].result, 9);
});

Deno.test("nameLength: applies to methods and identities; longer claims are truncated", () =>
  between({ nameLength: 60 }, {}, async (client, kite, url) => {
    assertThrows(
      () => kite.handle("m".repeat(61), () => {}),
      KiteError,
      "its name must have 1 to 60 characters",
    );
    assertThrows(() => callingKite({ limits: { nameLength: 2 } }), KiteError);
    assertEquals(
      await failure(client.tell("m".repeat(500))),
      `methodNotFound: Method not found: ${"m".repeat(60)}`,
    );
    await using wire = await Wire.open(url, true);
    const claim = { kite: { username: "u".repeat(500) }, responseCallback: "[Function]" };
    const callbacks = { 4: [0, "responseCallback"] };
    wire.send(JSON.stringify({ method: "whoami", arguments: [claim], callbacks }));
    assertEquals((await wire.answer(4)).arguments[0].result, "u".repeat(61));
  }));
