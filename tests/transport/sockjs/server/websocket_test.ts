import { assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../../../support/eventually.ts";
import {
  ask,
  assertAnswer,
  closeAtOnce,
  get,
  performHandshake,
  RawConnection,
  TestServer,
  TestSocket,
} from "./support.ts";

/** The head of the answer to a handshake on a connection of its own. */
async function answerTo(
  server: TestServer,
  path: string,
  changes?: Record<string, string | undefined>,
): Promise<string> {
  using connection = await RawConnection.open(server.port);
  return await performHandshake(connection, path, changes);
}

/** Tests both our own frames and the WebSockets of a server that the kite is mounted in. */
function testBoth(name: string, test: (isMounted: boolean) => Promise<void>): void {
  Deno.test(name, () => test(false));
  Deno.test(`${name} (mounted)`, () => test(true));
}

testBoth("websocket: a plain request is 400, another method 405", async (isMounted) => {
  await using server = new TestServer({ isMounted });
  const url = server.url + "/0/0/websocket";
  assertAnswer(await get(url), 400, 'Can "Upgrade" only to "WebSocket".\n');
  const answer = await ask("POST", url);
  assertAnswer(answer, 405, "");
  assertEquals(answer.headers.get("allow"), "GET");
});

testBoth("websocket: answers the handshake with the right headers", async (isMounted) => {
  await using server = new TestServer({ isMounted });
  for (const path of ["/echo/000/a/websocket", "/echo/websocket", "/echo", "/echo/", "/"]) {
    const head = (await answerTo(server, path)).toLowerCase();
    assertMatch(head, /^http\/1.1 101 /, path);
    assertMatch(head, /\r\nsec-websocket-accept: hsmrc0smlyukagmm5oppg2hagwk=\r\n/);
    assertMatch(head, /\r\nconnection: upgrade\r\n/);
    assertMatch(head, /\r\nupgrade: websocket\r\n/);
    assertEquals(head.includes("content-length"), false);
    assertEquals(head.includes("sec-websocket-protocol"), false);
  }
  await eventually(() => server.sockjs.sessionCount === 0, { what: "the end of the sessions" });
});

testBoth("websocket: a malformed handshake is refused", async (isMounted) => {
  await using server = new TestServer({ isMounted });
  const path = "/echo/000/a/websocket";
  assertMatch(await answerTo(server, path, { Connection: "close" }), /^HTTP\/1.1 400 /);
  assertMatch(await answerTo(server, path, { Upgrade: "h2c" }), /^HTTP\/1.1 400 /);
  assertMatch(
    await answerTo(server, path, { "Sec-WebSocket-Key": undefined }),
    /^HTTP\/1.1 400 /,
  );
  const old = await answerTo(server, path, { "Sec-WebSocket-Version": "8" });
  assertMatch(old, /^HTTP\/1.1 426 /);
  assertMatch(old, /\r\nsec-websocket-version: 13\r\n/i);
  assertEquals(server.sessions.length, 0);
});

testBoth("websocket: sends o, then messages in both directions", async (isMounted) => {
  await using server = new TestServer({ isMounted });
  const socket = await TestSocket.open(server.session() + "/websocket");
  assertEquals(await socket.next(), "o");
  socket.send('["a"]');
  assertEquals(await socket.next(), 'a["a"]');
  await socket.close();
});

testBoth("websocket: the messages of one turn share a frame", async (isMounted) => {
  await using server = new TestServer({ isMounted });
  const socket = await TestSocket.open(server.session() + "/websocket");
  socket.send('["a","b","c"]');
  assertEquals(await socket.next(), "o");
  assertEquals(await socket.next(), 'a["a","b","c"]');
  await socket.close();
});

testBoth(
  "websocket: empty frames are ignored, a bare string and a binary frame are read",
  async (isMounted) => {
    await using server = new TestServer({ isMounted });
    const socket = await TestSocket.open(server.session() + "/websocket");
    assertEquals(await socket.next(), "o");
    socket.send("");
    socket.send("[]");
    socket.send('"bare"');
    assertEquals(await socket.next(), 'a["bare"]');
    socket.send(new TextEncoder().encode('["bïnary"]'));
    assertEquals(await socket.next(), 'a["bïnary"]');
    await socket.close();
  },
);

testBoth(
  "websocket: a malformed frame ends the connection without a SockJS frame",
  async (isMounted) => {
    await using server = new TestServer({ isMounted });
    for (const broken of ['["a', "null", "[1]", "{}"]) {
      const socket = await TestSocket.open(server.session() + "/websocket");
      socket.send('["before"]');
      socket.send(broken);
      assertEquals(await socket.ended(), { code: 1002, reason: "Broken framing" }, broken);
      assertEquals(socket.received, ["o", 'a["before"]']);
    }
  },
);

testBoth("websocket: close sends a close frame, then closes the WebSocket", async (isMounted) => {
  await using server = new TestServer({ isMounted, onSession: closeAtOnce });
  const socket = await TestSocket.open(server.session() + "/websocket");
  assertEquals(await socket.ended(), { code: 3000, reason: "Go away!" });
  assertEquals(socket.received, ["o", 'c[3000,"Go away!"]']);
});

testBoth("websocket: two on one session are independent", async (isMounted) => {
  await using server = new TestServer({ isMounted });
  const url = server.session() + "/websocket";
  const first = await TestSocket.open(url);
  const second = await TestSocket.open(url);
  assertEquals([await first.next(), await second.next()], ["o", "o"]);
  first.send('["a"]');
  second.send('["b"]');
  assertEquals([await first.next(), await second.next()], ['a["a"]', 'a["b"]']);
  await first.close();
  second.send('["c"]');
  assertEquals(await second.next(), 'a["c"]');
  await second.close();
  const third = await TestSocket.open(url);
  assertEquals(await third.next(), "o");
  await third.close();
});

testBoth(
  "websocket: messages sent before the socket opens arrive after o, in order",
  async (isMounted) => {
    await using server = new TestServer({
      isMounted,
      onSession: (session) => {
        session.send("1");
        queueMicrotask(() => session.send("2"));
      },
    });
    const socket = await TestSocket.open(server.session() + "/websocket");
    assertEquals(await socket.next(), "o");
    const messages: string[] = [];
    while (messages.length < 2) messages.push(...JSON.parse((await socket.next()).slice(1)));
    assertEquals(messages, ["1", "2"]);
    await socket.close();
  },
);

testBoth("websocket: heartbeats when idle, none while there is traffic", async (isMounted) => {
  await using server = new TestServer({ isMounted, heartbeat: 100 });
  const socket = await TestSocket.open(server.session() + "/websocket");
  const raw = await TestSocket.open(server.url + "/websocket");
  assertEquals(await socket.next(), "o");
  assertEquals([await socket.next(), await socket.next()], ["h", "h"]);
  assertEquals(raw.received, []);
  await socket.close();
  await raw.close();
});

testBoth(
  "raw websocket: accepted at its path, and for upgrade requests at the prefix and the root",
  async (isMounted) => {
    await using server = new TestServer({ isMounted });
    const root = `http://127.0.0.1:${server.port}/`;
    for (const url of [server.url + "/websocket", server.url, server.url + "/", root]) {
      const socket = await TestSocket.open(url);
      socket.send("Hello world!\uffff");
      assertEquals(await socket.next(), "Hello world!\uffff");
      socket.send("second");
      assertEquals(await socket.next(), "second");
      assertEquals(server.sessions.at(-1)?.transport, "rawWebSocket");
      await socket.close();
    }
  },
);

testBoth("raw websocket: one text message each, even within a turn", async (isMounted) => {
  await using server = new TestServer({
    isMounted,
    onSession: (session) => {
      session.attach({ onMessage: () => {}, onClose: () => {} });
      for (const message of ["a", "", "{b}"]) session.send(message);
    },
  });
  const socket = await TestSocket.open(server.url + "/websocket");
  assertEquals([await socket.next(), await socket.next(), await socket.next()], ["a", "", "{b}"]);
  await socket.close();
});

testBoth(
  "raw websocket: close sends its reason, truncated to the size of a close frame",
  async (isMounted) => {
    await using server = new TestServer({
      isMounted,
      onSession: (session) => session.close(4000, "é".repeat(100)),
    });
    const socket = await TestSocket.open(server.url + "/websocket");
    assertEquals(await socket.ended(), { code: 4000, reason: "é".repeat(61) });
    assertEquals(socket.received, []);
  },
);

testBoth("raw websocket: can be disabled by an option", async (isMounted) => {
  await using server = new TestServer({ isMounted, rawWebSocket: false });
  assertMatch(await answerTo(server, "/echo/websocket"), /^HTTP\/1.1 404 /);
  assertMatch(await answerTo(server, "/"), /^HTTP\/1.1 404 /);
  assertMatch(await answerTo(server, "/echo"), /^HTTP\/1.1 200 /);
  assertMatch(await answerTo(server, "/echo/0/a/websocket"), /^HTTP\/1.1 101 /);
});
