import { assertEquals, assertMatch } from "@std/assert";
import { exceedsBytes } from "../../../../src/transport/byte_length.ts";
import { eventually } from "../../../support/eventually.ts";
import {
  assertAnswer,
  assertSocketRefused,
  echo,
  performHandshake,
  post,
  RawConnection,
  Recorder,
  TestServer,
  TestSocket,
} from "./support.ts";

const BIG = "x".repeat(1_001);

Deno.test("exceedsBytes: agrees with an encoder on every kind of character", () => {
  for (const unit of ["a", "é", "€", "\u{1f600}", "aé€\u{1f600}"]) {
    const text = unit.repeat(10);
    const { length } = new TextEncoder().encode(text);
    assertEquals(exceedsBytes(text, length), false, unit);
    assertEquals(exceedsBytes(text, length - 1), true, unit);
  }
});

for (
  const { name, path, frame } of [
    { name: "websocket", path: "/000/a/websocket", frame: JSON.stringify },
    { name: "raw websocket", path: "/websocket", frame: ([message]: string[]) => message ?? "" },
  ]
) {
  Deno.test(`${name}: a message over the limit ends the session with 1009`, async () => {
    const recorder = new Recorder();
    await using server = new TestServer({
      limits: { messageBytes: 1_000 },
      onSession: (session) => session.attach(recorder),
    });
    // Over by a byte; over in bytes though not in characters; a frame too long to be parsed.
    for (const message of [BIG, "€".repeat(334), "x".repeat(2_100)]) {
      const socket = await TestSocket.open(server.url + path);
      socket.send(frame(["y".repeat(1_000)]));
      socket.send(frame([message]));
      assertEquals((await socket.ended()).code, 1009);
    }
    await eventually(() => recorder.ends.length === 3);
    assertEquals(recorder.ends.map(({ code }) => code), [1009, 1009, 1009]);
    assertEquals(recorder.messages, Array(3).fill("y".repeat(1_000)));
  });
}

Deno.test("websocket: a frame with many escapes is accepted if its message is within the limit", async () => {
  await using server = new TestServer({ limits: { messageBytes: 1_000 } });
  const socket = await TestSocket.open(server.session() + "/websocket");
  socket.send(JSON.stringify(['"'.repeat(990)]));
  assertEquals(await socket.next(), "o");
  assertEquals(await socket.next(), "a" + JSON.stringify(['"'.repeat(990)]));
  await socket.close();
});

Deno.test("xhr_send: a message over the limit ends the session with 1009", async () => {
  await using server = new TestServer({ limits: { messageBytes: 1_000 } });
  const url = server.session();
  await post(url + "/xhr");
  assertEquals((await post(url + "/xhr_send", JSON.stringify([BIG]))).status, 413);
  assertAnswer(await post(url + "/xhr"), 200, 'c[1009,"Message too big"]\n');
});

for (const transfer of ["content-length", "chunked"]) {
  Deno.test(`xhr_send: a body over the limit is refused before it is complete (${transfer})`, async () => {
    await using server = new TestServer({ limits: { messageBytes: 1_000 } });
    await post(`${server.url}/000/a/xhr`);
    using connection = await RawConnection.open(server.port);
    const start = "POST /echo/000/a/xhr_send HTTP/1.1\r\nHost: a\r\n";
    if (transfer === "chunked") {
      const chunk = "x".repeat(2_100);
      await connection.write(
        `${start}Transfer-Encoding: chunked\r\n\r\n${chunk.length.toString(16)}\r\n${chunk}\r\n`,
      );
    } else {
      await connection.write(`${start}Content-Length: 1000000000\r\n\r\n["`);
    }
    assertMatch(await connection.read("\r\n\r\n"), /^HTTP\/1.1 413 /);
    assertAnswer(await post(`${server.url}/000/a/xhr`), 200, 'c[1009,"Message too big"]\n');
  });
}

Deno.test("sessions: one more than the limit is refused with 503, until one ends", async () => {
  await using server = new TestServer({ limits: { sessions: 2 }, disconnectDelay: 200 });
  const socket = await TestSocket.open(server.session() + "/websocket");
  const url = server.session();
  assertAnswer(await post(url + "/xhr"), 200, "o\n");
  const poll = post(url + "/xhr"); // its client is there, so it is not replaced
  await eventually(async () => (await post(server.session() + "/xhr")).status === 503);
  await assertSocketRefused(server);
  assertEquals(server.sockjs.sessionCount, 2);
  await post(url + "/xhr_send", '["those that are there go on"]');
  assertAnswer(await poll, 200, 'a["those that are there go on"]\n');
  await socket.close();
  await eventually(async () => (await post(server.session() + "/xhr")).status === 200);
});

Deno.test("outgoing: more waiting messages than the limit end the session with 1013", async () => {
  const recorder = new Recorder();
  await using server = new TestServer({
    limits: { outgoingBytes: 10_000 },
    onSession: (session) => session.attach(recorder),
  });
  const url = server.session();
  await post(url + "/xhr");
  const [session] = server.sessions;
  for (let i = 0; i < 9; i++) session?.send("x".repeat(1_000));
  assertEquals(session?.bufferedAmount, 9_000);
  await new Promise((resolve) => setTimeout(resolve, 20)); // into another turn
  assertEquals(session?.bufferedAmount, 9_000);
  assertEquals(session?.isOpen, true);
  for (let i = 0; i < 2; i++) session?.send("x".repeat(1_000));
  await eventually(() => recorder.ends.length > 0);
  assertEquals(recorder.ends, [{ code: 1013, reason: "Slow reader" }]);
  assertAnswer(await post(url + "/xhr"), 200, 'c[1013,"Slow reader"]\n');
});

Deno.test("outgoing: a turn that sends more than the limit ends the session with 1013", async () => {
  const recorder = new Recorder();
  await using server = new TestServer({
    limits: { outgoingBytes: 10_000 },
    onSession: (session) => {
      session.attach(recorder);
      for (let i = 0; i < 11; i++) session.send("x".repeat(1_000));
      assertEquals(session.isOpen, false);
    },
  });
  const socket = await TestSocket.open(server.session() + "/websocket");
  assertEquals((await socket.ended()).code, 1013);
  assertEquals(socket.received, ["o", 'c[1013,"Slow reader"]']);
});

for (const path of ["websocket", "xhr_streaming"]) {
  Deno.test(`outgoing: a ${path} client that stops reading is closed with 1013`, async () => {
    const recorder = new Recorder();
    await using server = new TestServer({
      limits: { outgoingBytes: 1_000_000 },
      onSession: (session) => session.attach(recorder),
    });
    using connection = await RawConnection.open(server.port);
    if (path === "websocket") {
      await performHandshake(connection, "/echo/0/a/websocket");
    } else {
      const head = "POST /echo/0/a/xhr_streaming HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
      await connection.write(head);
      await connection.read("\r\n\r\n");
    }
    const session = await eventually(() => server.sessions[0]);
    const message = "x".repeat(100_000);
    let sent = 0;
    await eventually(() => {
      for (let i = 0; i < 5 && session.isOpen; i++, sent++) session.send(message);
      return !session.isOpen;
    }, { what: "the end of the slow reader" });
    assertEquals(sent > 10, true);
    if (path === "websocket") await server.sockjs.close({ timeout: 50 });
    await eventually(() => recorder.ends.length > 0);
    assertEquals(recorder.ends.map(({ code }) => code), [1013]);
  });
}

Deno.test("early: a session without a handler keeps at most one frame", async () => {
  await using server = new TestServer({ limits: { messageBytes: 1_000 }, onSession: () => {} });
  const socket = await TestSocket.open(server.session() + "/websocket");
  for (let i = 0; i < 3; i++) socket.send(JSON.stringify(["x".repeat(900)]));
  assertEquals((await socket.ended()).code, 1008);
});

Deno.test("frames: many long messages of a turn are split into several frames", async () => {
  await using server = new TestServer({ limits: { messageBytes: 4_000 }, onSession: echo });
  const socket = await TestSocket.open(server.session() + "/websocket");
  assertEquals(await socket.next(), "o");
  const messages = Array.from({ length: 20 }, (_, i) => `${i}${"x".repeat(300)}`);
  const [session] = server.sessions;
  for (const message of messages) session?.send(message);
  const received: string[] = [];
  while (received.length < messages.length) {
    const frame = await socket.next();
    assertEquals(frame.length < 1_100, true);
    received.push(...JSON.parse(frame.slice(1)));
  }
  assertEquals(received, messages);
  await socket.close();
});
