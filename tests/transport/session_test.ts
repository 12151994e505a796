import { textOf } from "../../src/transport/message.ts";
import { assert, assertEquals, assertFalse, assertMatch, assertThrows } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { DEFAULT_LIMITS } from "../../src/protocol/limits.ts";
import { type ClientTransport, dialSession } from "../../src/transport/dial_session.ts";
import type { Session } from "../../src/transport/session.ts";
import { eventually } from "../support/eventually.ts";
import { Recorder, startServer } from "./support.ts";

const limits = DEFAULT_LIMITS;
const TRANSPORTS: Exclude<ClientTransport, "auto">[] = ["WebSocket", "XHRPolling", "rawWebSocket"];

for (const transport of TRANSPORTS) {
  Deno.test(`${transport}: messages come back in order, of any content and size`, async () => {
    await using server = startServer();
    const session = await dialSession(server.url, { transport, limits });
    const recorder = new Recorder(session);
    assertEquals(session.transport, transport);
    assertEquals(session.remoteAddress, `127.0.0.1:${server.port}`);
    assert(session.isOpen);
    const texts = [
      ...["{}", "é", "\u{1F600}", '\u2028\u2029\ufff0\u0000\n"\\', "a\ufeffb"],
      ...[1, 124, 125, 126, 127, 1_024, 65_534, 65_535, 65_536, 300_000].flatMap((length) => [
        "x".repeat(length),
        "x".repeat(length) + "ü€\u{1F600}".repeat(50),
      ]),
      "ünï".repeat(100_000),
    ];
    for (const [index, text] of texts.entries()) {
      session.send(text);
      if (index % 3 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    const received = await recorder.received(texts.length);
    for (const [index, text] of texts.entries()) assert(received[index] === text, `text ${index}`);
    session.close();
    assertEquals(await recorder.closed(), { code: 3000, reason: "Go away!" });
    await eventually(() => server.sockjs.sessionCount === 0);
  });

  Deno.test(`${transport}: thousands of messages of many turns keep their order`, async () => {
    await using server = startServer();
    const session = await dialSession(server.url, { transport, limits });
    const recorder = new Recorder(session);
    for (let count = 0; count < 5_000; count++) {
      session.send(`message ${count}`);
      if (count % 500 === 0) await new Promise((resolve) => setTimeout(resolve));
    }
    const received = await recorder.received(5_000);
    assertEquals(received, Array.from({ length: 5_000 }, (_, count) => `message ${count}`));
    session.close(4001, "enough");
    session.close(4002, "too late");
    assertFalse(session.isOpen);
    session.send("dropped");
    assertEquals(await recorder.closed(), { code: 4001, reason: "enough" });
    assertEquals(session.bufferedAmount, 0);
    assertEquals(recorder.ends.length, 1);
    assertEquals(recorder.messages.length, 5_000);
  });

  Deno.test(`${transport}: what was sent right before close arrives`, async () => {
    const heard: string[] = [];
    await using server = startServer({
      onSession: (session) =>
        session.attach({
          onMessage: (message) => void heard.push(textOf(message)),
          onClose: () => {},
        }),
    });
    const session = await dialSession(server.url, { transport, limits });
    const recorder = new Recorder(session);
    session.send("one");
    session.send("two");
    session.close();
    await recorder.closed();
    await eventually(() => heard.length === 2);
    assertEquals(heard, ["one", "two"]);
  });

  Deno.test(`${transport}: the server's close code and reason arrive after its last message`, async () => {
    await using server = startServer({
      onSession: (session) =>
        session.attach({
          onMessage: () => {
            session.send("farewell");
            session.close(4321, "that is all");
          },
          onClose: () => {},
        }),
    });
    const session = await dialSession(server.url, { transport, limits });
    const recorder = new Recorder(session);
    session.send("end it");
    assertEquals(await recorder.closed(), { code: 4321, reason: "that is all" });
    assertEquals(recorder.messages, ["farewell"]);
    assertFalse(session.isOpen);
  });

  Deno.test(`${transport}: messages and the end wait for the handler`, async () => {
    let served: Session | undefined;
    await using server = startServer({
      onSession: (session) => {
        served = session;
        session.attach({ onMessage: () => {}, onClose: () => {} });
        session.send("early 1");
        session.send("early 2");
      },
    });
    const session = await dialSession(server.url, { transport, limits });
    await eventually(() => server.sockjs.sessionCount === 1);
    await new Promise((resolve) => setTimeout(resolve, 30));
    served?.close(3000, "Go away!");
    await eventually(() => !session.isOpen);
    const recorder = new Recorder();
    session.attach(recorder);
    assertEquals(await recorder.closed(), { code: 3000, reason: "Go away!" });
    assertEquals(recorder.messages, ["early 1", "early 2"]);
    assertThrows(
      () => session.attach(recorder),
      KiteError,
      "Cannot attach a handler: the session already has one",
    );
  });

  Deno.test(`${transport}: a handler that throws ends only its session, with 1011`, async () => {
    await using server = startServer();
    const [bad, good] = await Promise.all([
      dialSession(server.url, { transport, limits }),
      dialSession(server.url, { transport, limits }),
    ]);
    const end = Promise.withResolvers<number>();
    bad.attach({
      onMessage: () => {
        throw new Error("handler");
      },
      onClose: ({ code }) => {
        end.resolve(code);
        throw new Error("again");
      },
    });
    const recorder = new Recorder(good);
    bad.send("boom");
    bad.send("never heard");
    assertEquals(await end.promise, 1011);
    good.send("fine");
    assertEquals(await recorder.received(1), ["fine"]);
    good.close();
    await recorder.closed();
  });

  Deno.test(`${transport}: close refuses a code that cannot be sent`, async () => {
    await using server = startServer();
    const session = await dialSession(server.url, { transport, limits });
    const recorder = new Recorder(session);
    for (const code of [0, 999, 1005, 1006, 1015, 2999, 5000, 1000.5, NaN]) {
      assertThrows(
        () => session.close(code),
        KiteError,
        `Cannot use close code ${code}: must be 1000`,
      );
    }
    assert(session.isOpen);
    session.close(1000);
    assertEquals(await recorder.closed(), { code: 1000, reason: "" });
  });

  Deno.test(`${transport}: a message over messageBytes ends the session with 1009`, async () => {
    await using server = startServer();
    const small = { ...limits, messageBytes: 20_000 };
    for (const text of ["x".repeat(20_001), "ü".repeat(10_001), "x".repeat(200_000)]) {
      const session = await dialSession(server.url, { transport, limits: small });
      const recorder = new Recorder(session);
      session.send("x".repeat(20_000));
      await recorder.received(1);
      session.send(text);
      assertEquals((await recorder.closed()).code, 1009);
      assertEquals(recorder.messages.length, 1);
    }
  });

  Deno.test(`${transport}: more than outgoingBytes at once ends the session with 1013`, async () => {
    await using server = startServer();
    const session = await dialSession(server.url, {
      transport,
      limits: { ...limits, outgoingBytes: 100_000 },
    });
    const recorder = new Recorder(session);
    for (let count = 0; count < 11; count++) session.send("x".repeat(10_000));
    assertFalse(session.isOpen);
    assertEquals((await recorder.closed()).code, 1013);
  });
}

Deno.test("WebSocket: the messages of one turn share a frame, up to a limit", async () => {
  const turns: string[][] = [];
  let turn: string[] = [];
  await using server = startServer({
    onSession: (session) =>
      session.attach({
        onMessage: (message) => {
          if (turn.length === 0) {
            turns.push(turn);
            queueMicrotask(() => turn = []);
          }
          turn.push(textOf(message));
        },
        onClose: () => {},
      }),
  });
  const session = await dialSession(server.url, { limits });
  const recorder = new Recorder(session);
  for (let count = 0; count < 10; count++) session.send(`${count}`);
  await eventually(() => turns.length > 0 && turn.length === 0);
  assertEquals(turns, [["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]]);
  for (let count = 0; count < 10; count++) session.send("x".repeat(10_000));
  await eventually(() => turns.flat().length === 20);
  assertEquals(turns.slice(1).map((messages) => messages.length), [3, 3, 3, 1]);
  session.close();
  await recorder.closed();
});

Deno.test("auto: uses WebSocket if possible, without a request for /info", async () => {
  await using server = startServer();
  const session = await dialSession(`${server.url}?kiteID=X`, { limits });
  const recorder = new Recorder(session);
  assertEquals(session.transport, "WebSocket");
  assertEquals(server.requests.length, 1);
  assertMatch(server.requests[0]!, /^GET \/kite\/\d{3}\/[a-z0-9]{20}\/websocket\?kiteID=X$/);
  session.close();
  await recorder.closed();
});

Deno.test("auto: uses XHR polling if the WebSocket is refused", async () => {
  await using server = startServer({ webSocket: false });
  const session = await dialSession(`${server.url}?kiteID=X`, { limits });
  const recorder = new Recorder(session);
  assertEquals(session.transport, "XHRPolling");
  assertMatch(server.requests[1]!, /^POST \/kite\/\d{3}\/[a-z0-9]{20}\/xhr\?kiteID=X$/);
  session.send("hello");
  assertEquals(await recorder.received(1), ["hello"]);
  session.close();
  await recorder.closed();
});
