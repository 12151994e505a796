import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { targetKite } from "./kites.ts";
import { Wire } from "./wire.ts";

/** The messages of a frame that make the kite report each, were there no bound. */
const FLOODS: Record<string, string> = {
  "empty messages": "",
  "messages that are no objects": "7",
  "messages without a method": "{}",
  "messages nested too deep": "[".repeat(1_100),
};

for (const [name, message] of Object.entries(FLOODS)) {
  for (const isRaw of [false, true]) {
    Deno.test(`${name} end the session after brokenMessages, ${isRaw ? "raw" : "SockJS"}`, async () => {
      const kite = targetKite({ limits: { brokenMessages: 20 } });
      await using server = await kite.listen();
      await using wire = await Wire.open(server.url, isRaw);
      wire.send(...new Array(20).fill(message));
      assertEquals((await wire.call(1, "square", 2)).arguments[0].result, 4);
      // A raw peer that still writes when the kite closes may lose the close frame.
      wire.send(...new Array(isRaw ? 21 : 100).fill(message));
      const { code, reason } = await wire.ended;
      assertEquals([code, reason], [
        3008,
        "21 messages in a row could not be read (limit: brokenMessages)",
      ]);
      await eventually(() => kite.connections.size === 0);
    });
  }
}

Deno.test("a SockJS frame that is too deep to be parsed ends the session, and no other", async () => {
  const kite = targetKite();
  await using server = await kite.listen();
  await using other = await Wire.open(server.url, false);
  for (
    const deep of ["[".repeat(5_000) + "]".repeat(5_000), '[[1,1,"square",[{"a":'.repeat(5_000)]
  ) {
    await using wire = await Wire.open(server.url, false);
    wire.sendFrame(deep);
    assertEquals((await wire.ended).code, 1002);
  }
  assertEquals((await other.call(1, "square", 2)).arguments[0].result, 4);
});

Deno.test("a raw text that is too deep to be parsed is one broken message, whatever it begins with", async () => {
  const kite = targetKite({ limits: { brokenMessages: 2 } });
  await using server = await kite.listen();
  const nested = "[".repeat(5_000) + "]".repeat(5_000);
  const texts = [nested, `{"method":"square","arguments":${nested},"callbacks":{}}`];
  for (const text of texts) {
    await using wire = await Wire.open(server.url, true);
    wire.send(text, text);
    assertEquals((await wire.call(1, "square", 2)).arguments[0].result, 4);
    wire.send(text, text, text);
    assertEquals((await wire.ended).code, 3008);
  }
});

Deno.test("work per turn: a frame of many calls is served in order over many turns, between other work", async () => {
  const served: number[] = [];
  let turns = 0;
  const kite = targetKite();
  kite.handle("count", ({ args }) => void served.push(args.one().number()));
  await using server = await kite.listen();
  await using wire = await Wire.open(server.url, false);
  const ticking = new Set<number>();
  const timer = setInterval(() => void ticking.add(served.length), 0);
  const frame = Array.from(
    { length: 20_000 },
    (_, i) => JSON.stringify({ method: "count", arguments: [{ withArgs: [i] }] }),
  );
  wire.send(...frame);
  await eventually(() => {
    turns++;
    return served.length === 20_000;
  });
  clearInterval(timer);
  assertEquals(served, served.toSorted((a, b) => a - b));
  assert(turns > 0 && ticking.size > 3, `the loop had ${ticking.size} turns meanwhile`);
  assertEquals((await wire.call(1, "square", 2)).arguments[0].result, 4);
});

Deno.test("work per turn: all messages that a peer sends before it closes are served", async () => {
  let served = 0;
  const kite = targetKite();
  kite.handle("count", () => void served++);
  const ends: number[] = [];
  kite.onDisconnect(() => ends.push(served));
  await using server = await kite.listen();
  {
    await using wire = await Wire.open(server.url, false);
    const message = JSON.stringify({ method: "count", arguments: [{}] });
    wire.send(...new Array(10_000).fill(message));
  }
  await eventually(() => ends.length > 0);
  assertEquals(ends, [10_000]);
});

Deno.test("queuedMessages: a frame of more messages ends the session with 3008", async () => {
  const kite = targetKite({ limits: { queuedMessages: 500 } });
  await using server = await kite.listen();
  await using wire = await Wire.open(server.url, false);
  const message = JSON.stringify({ method: "kite.ping", arguments: [{}] });
  wire.send(...new Array(1_600).fill(message));
  const { code, reason } = await wire.ended;
  assertEquals([code, reason], [
    3008,
    "too many messages wait (limit: queuedMessages, inFlightBytes)",
  ]);
});

Deno.test("inFlightBytes: further requests are refused until running ones end", async () => {
  const gate = Promise.withResolvers<string>();
  const kite = targetKite({ limits: { inFlightBytes: 250_000 } });
  kite.handle("slow", () => gate.promise);
  await using server = await kite.listen();
  await using wire = await Wire.open(server.url, true);
  const pad = "x".repeat(100_000);
  const first = wire.call(1, "slow", pad);
  const second = wire.call(2, "slow", pad);
  const refused = await wire.call(3, "slow", pad);
  assertEquals(refused.arguments[0].error.type, "requestLimitError");
  assertEquals((await wire.call(4, "square", 2)).arguments[0].result, 4, "small ones fit");
  gate.resolve("done");
  assertEquals((await first).arguments[0].result, "done");
  assertEquals((await second).arguments[0].result, "done");
  assertEquals((await wire.call(5, "slow", pad)).arguments[0].result, "done");
});

Deno.test("totalInFlightBytes: all sessions share it, and small requests still run", async () => {
  const gate = Promise.withResolvers<string>();
  const kite = targetKite({ limits: { totalInFlightBytes: 250_000 } });
  kite.handle("slow", () => gate.promise);
  await using server = await kite.listen();
  await using busy = await Wire.open(server.url, true);
  await using other = await Wire.open(server.url, true);
  const pad = "x".repeat(100_000);
  const running = [busy.call(1, "slow", pad), busy.call(2, "slow", pad)];
  await busy.call(3, "square", 2);
  const refused = await other.call(1, "slow", pad);
  assertEquals(refused.arguments[0].error.type, "requestLimitError");
  const small = other.call(2, "slow", "small");
  gate.resolve("done");
  for (const call of [...running, small]) {
    assertEquals((await call).arguments[0].result, "done");
  }
});
