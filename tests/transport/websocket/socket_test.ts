import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { WebSocketServer } from "ws";
import { DEFAULT_LIMITS } from "../../../src/protocol/limits.ts";
import { dialSession } from "../../../src/transport/dial_session.ts";
import { Recorder, startServer } from "../support.ts";

const limits = DEFAULT_LIMITS;

/** What this file uses of a socket of npm `ws`, an implementation that is not ours. */
interface Peer {
  on(event: "message", listener: (data: Uint8Array) => void): void;
  on(event: "close", listener: (code: number, reason: Uint8Array) => void): void;
  send(text: string, options?: { fin: boolean; binary?: boolean }): void;
  close(code: number, reason: string): void;
}

async function withPeer(onPeer: (peer: Peer) => void, use: (url: string) => Promise<void>) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: true });
  await new Promise<void>((resolve) => server.once("listening", resolve));
  server.on("connection", onPeer);
  try {
    await use(`ws://127.0.0.1:${server.address().port}/any/path`);
  } finally {
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }
}

Deno.test("socket: any text survives the round trip with npm ws, however fragmented", async () => {
  const onPeer = (peer: Peer) =>
    peer.on("message", (data) => {
      const text = new TextDecoder().decode(data);
      const third = [...text].length / 3;
      const pieces = [[...text].slice(0, third), [...text].slice(third, -third), []];
      pieces[2] = [...text].slice(pieces[0]!.length + pieces[1]!.length);
      if (third < 1) return peer.send(text);
      peer.send(pieces[0]!.join(""), { fin: false });
      peer.send(pieces[1]!.join(""), { fin: false });
      peer.send(pieces[2]!.join(""), { fin: true });
    });
  await withPeer(onPeer, async (url) => {
    const session = await dialSession(url, { transport: "rawWebSocket", limits });
    const recorder = new Recorder(session);
    let count = 0;
    const texts = fc.oneof(
      fc.string({ unit: "binary", maxLength: 400 }),
      fc.string({ unit: "grapheme-ascii", maxLength: 400 }),
      fc.tuple(fc.nat(140_000), fc.string({ unit: "grapheme", maxLength: 3 })).map((
        [length, tail],
      ) => "x".repeat(length) + tail),
      // A text that starts with "[" is a compact message, and travels in a form of its own.
    ).filter((text) => !text.startsWith("\ufeff") && !text.startsWith("["));
    await fc.assert(
      fc.asyncProperty(texts, async (text) => {
        session.send(text);
        const received = await recorder.received(++count);
        assert(received[count - 1] === text);
      }),
      { numRuns: 200 },
    );
    session.close();
    assertEquals((await recorder.closed()).code, 3000);
  });
});

Deno.test("socket: close codes and reasons arrive both ways, a long reason cut between characters", async () => {
  const heard = Promise.withResolvers<[number, string]>();
  const onPeer = (peer: Peer) =>
    peer.on("close", (code, reason) => heard.resolve([code, new TextDecoder().decode(reason)]));
  await withPeer(onPeer, async (url) => {
    const session = await dialSession(url, { transport: "rawWebSocket", limits });
    const recorder = new Recorder(session);
    session.close(4999, "ü".repeat(200));
    await recorder.closed();
    assertEquals(await heard.promise, [4999, "ü".repeat(61)]);
  });
  await withPeer((peer) => peer.close(4567, "müde"), async (url) => {
    const session = await dialSession(url, { transport: "rawWebSocket", limits });
    assertEquals(await new Recorder(session).closed(), { code: 4567, reason: "müde" });
  });
});

Deno.test("socket: no size waits for a delayed acknowledgement (44 ms)", async () => {
  await using server = startServer();
  const session = await dialSession(server.url, { limits });
  const recorder = new Recorder(session);
  let count = 0;
  for (const size of [100, 1_024, 1_025, 1_500, 4_096, 16_384, 65_000, 65_536]) {
    const times: number[] = [];
    for (let round = 0; round < 15; round++) {
      const start = performance.now();
      session.send("x".repeat(size));
      await recorder.received(++count);
      times.push(performance.now() - start);
    }
    const median = times.sort((a, b) => a - b)[7]!;
    assert(median < 20, `${size} bytes: ${median} ms`);
  }
  session.close();
  await recorder.closed();
});

Deno.test("socket: a message does not wait for the acknowledgement of the previous one", async () => {
  await using server = startServer({
    onSession: (session) =>
      session.attach({
        onMessage: (message) => message === "?" && session.send("!"),
        onClose: () => {},
      }),
  });
  const session = await dialSession(server.url, { limits });
  const recorder = new Recorder(session);
  const times: number[] = [];
  for (let round = 1; round <= 15; round++) {
    const start = performance.now();
    session.send("not answered");
    await new Promise((resolve) => setTimeout(resolve, 1));
    session.send("?");
    await recorder.received(round);
    times.push(performance.now() - start);
  }
  const median = times.sort((a, b) => a - b)[7]!;
  assert(median < 25, `${median} ms`);
  session.close();
  await recorder.closed();
});

Deno.test("socket: a name that resolves to IPv6 first still reaches a server on IPv4", async () => {
  await using server = startServer();
  const session = await dialSession(`http://localhost:${server.port}/kite`, { limits });
  const recorder = new Recorder(session);
  session.send("x");
  assertEquals(await recorder.received(1), ["x"]);
  session.close();
  await recorder.closed();
});
