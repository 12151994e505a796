import { textOf } from "../../../../src/transport/message.ts";
import { assertEquals, assertThrows } from "@std/assert";
import { KiteError } from "../../../../src/protocol/errors.ts";
import { SockJsServer } from "../../../../src/transport/sockjs/server/mod.ts";
import { DEFAULT_LIMITS } from "../../../../src/protocol/limits.ts";
import type { Session } from "../../../../src/transport/session.ts";
import { eventually } from "../../../support/eventually.ts";
import {
  assertAnswer,
  performHandshake,
  post,
  RawConnection,
  Recorder,
  TestServer,
  TestSocket,
} from "./support.ts";

/** Opens a session over the transport and gives a way to send up and to see the end. */
interface Peer {
  send(messages: readonly string[]): Promise<void>;
  leave(): Promise<void>;
}

const TRANSPORTS: Record<string, (server: TestServer) => Promise<Peer>> = {
  websocket: (server) => socketPeer(server.session() + "/websocket", JSON.stringify),
  rawWebsocket: (server) => socketPeer(server.url + "/websocket", undefined),
  xhr: async (server) => {
    const url = server.session();
    await post(url + "/xhr");
    return {
      send: async (messages) => void await post(url + "/xhr_send", JSON.stringify(messages)),
      leave: async () => {},
    };
  },
};

async function socketPeer(
  url: string,
  frame: ((messages: readonly string[]) => string) | undefined,
): Promise<Peer> {
  const socket = await TestSocket.open(url);
  return {
    send: (messages) => {
      for (const text of frame ? [frame(messages)] : messages) socket.send(text);
      return Promise.resolve();
    },
    leave: () => socket.close(),
  };
}

for (const [name, open] of Object.entries(TRANSPORTS)) {
  Deno.test(`${name}: messages before attach are delivered by it, in order`, async () => {
    await using server = new TestServer({ onSession: () => {} });
    const peer = await open(server);
    await peer.send(["a", "b"]);
    await peer.send(["c"]);
    const session = await eventually(() => server.sessions[0]);
    const recorder = new Recorder();
    if (name !== "xhr") await new Promise((resolve) => setTimeout(resolve, 50)); // a request is answered when taken in
    session.attach(recorder);
    await eventually(() => recorder.messages.length === 3);
    assertEquals(recorder.messages, ["a", "b", "c"]);
    await peer.send(["d"]);
    await eventually(() => recorder.messages.length === 4);
    assertThrows(
      () => session.attach(recorder),
      KiteError,
      "Cannot attach a handler: the session already has one",
    );
    await peer.leave();
  });

  Deno.test(`${name}: close is idempotent, onClose is called once, and no message follows`, async () => {
    const recorder = new Recorder();
    await using server = new TestServer({
      disconnectDelay: 200,
      onSession: (session) => session.attach(recorder),
    });
    const peer = await open(server);
    await eventually(() => server.sessions[0]);
    const session = server.sessions[0] as Session;
    assertEquals(session.isOpen, true);
    session.close(4001, "first");
    assertEquals(session.isOpen, false);
    assertEquals(recorder.ends, [], "never within close itself");
    session.close(4002, "second");
    session.send("dropped");
    assertEquals(session.bufferedAmount < 100, true);
    await peer.send(["late"]);
    await eventually(() => recorder.ends.length > 0);
    session.close();
    await peer.leave();
    await server.sockjs.close();
    assertEquals(recorder.ends, [{ code: 4001, reason: "first" }]);
    assertEquals(recorder.messages, []);
  });

  Deno.test(`${name}: a handler that throws ends its own session with 1011`, async () => {
    const ends: number[] = [];
    const seen: string[] = [];
    await using server = new TestServer({
      onSession: (session) =>
        session.attach({
          onMessage: (message) => {
            seen.push(textOf(message));
            if (message === "bad") throw new Error("handler");
          },
          onClose: ({ code }) => {
            ends.push(code);
            throw new Error("close handler");
          },
        }),
    });
    const peer = await open(server);
    const other = await open(server);
    await peer.send(["good", "bad", "unseen"]);
    await eventually(() => ends.length > 0);
    await other.send(["other"]);
    await eventually(() => seen.includes("other"));
    assertEquals(ends, [1011]);
    assertEquals(seen, ["good", "bad", "other"]);
    assertEquals(server.errors.map(String), ["Error: handler", "Error: close handler"]);
    await peer.leave();
    await other.leave();
  });

  Deno.test(`${name}: an onSession that throws ends the session with 1011`, async () => {
    await using server = new TestServer({
      onSession: () => {
        throw new Error("onSession");
      },
    });
    const peer = await open(server);
    await eventually(() => server.sockjs.sessionCount === 0);
    assertEquals(server.errors.map(String), ["Error: onSession"]);
    await peer.leave();
  });

  Deno.test(`${name}: attach after the end reports the end`, async () => {
    await using server = new TestServer({ onSession: (session) => session.close(4000, "early") });
    const peer = await open(server);
    await eventually(() => server.sockjs.sessionCount === 0);
    const recorder = new Recorder();
    server.sessions[0]?.attach(recorder);
    await eventually(() => recorder.ends.length > 0);
    assertEquals(recorder.ends, [{ code: 4000, reason: "early" }]);
    await peer.leave();
  });
}

for (const name of ["websocket", "rawWebsocket"]) {
  Deno.test(`${name}: the peer's close code reaches onClose`, async () => {
    const recorder = new Recorder();
    await using server = new TestServer({ onSession: (session) => session.attach(recorder) });
    const url = name === "websocket" ? server.session() + "/websocket" : server.url + "/websocket";
    const socket = await TestSocket.open(url);
    socket.socket.close(4321, "bye");
    await eventually(() => recorder.ends.length > 0);
    assertEquals(recorder.ends, [{ code: 4321, reason: "bye" }]);
    assertEquals(server.sockjs.sessionCount, 0);
    await socket.ended();
  });
}

Deno.test("websocket: a connection that is lost ends its session with 1006", async () => {
  const recorder = new Recorder();
  await using server = new TestServer({ onSession: (session) => session.attach(recorder) });
  {
    using _silent = await silentPeer(server);
    await eventually(() => server.sessions[0]);
  }
  await eventually(() => recorder.ends.length > 0);
  assertEquals(recorder.ends, [{ code: 1006, reason: "Connection lost" }]);
  assertEquals(server.sockjs.sessionCount, 0);
});

Deno.test("websocket: a silent peer does not delay the server's close", async () => {
  const recorder = new Recorder();
  await using server = new TestServer({ onSession: (session) => session.attach(recorder) });
  using _silent = await silentPeer(server);
  await eventually(() => server.sessions[0]);
  const start = performance.now();
  await server.sockjs.close({ timeout: 100 });
  assertEquals(performance.now() - start < 2_000, true);
  assertEquals(server.sockjs.sessionCount, 0);
  await eventually(() => recorder.ends.length > 0);
  assertEquals(recorder.ends, [{ code: 3000, reason: "Go away!" }]);
});

Deno.test("close: refuses a code that cannot be sent, and the session continues", async () => {
  await using server = new TestServer();
  const url = server.session();
  await post(url + "/xhr");
  for (const code of [0, 999, 1005, 1006, 1015, 2999, 5000, NaN, 1000.5]) {
    assertThrows(
      () => server.sessions[0]?.close(code),
      KiteError,
      `Cannot use close code ${code}: must be 1000`,
    );
  }
  await post(url + "/xhr_send", '["a"]');
  assertAnswer(await post(url + "/xhr"), 200, 'a["a"]\n');
});

Deno.test("options: an invalid option is refused by name", () => {
  const base = { limits: DEFAULT_LIMITS, onSession: () => {} };
  const wrong = [
    { prefix: "kite" },
    { prefix: "/kite/" },
    { heartbeat: -1 },
    { disconnectDelay: 0 },
    { disconnectDelay: NaN },
    { responseLimit: NaN },
  ];
  for (const options of wrong) {
    const [name = ""] = Object.keys(options);
    const error = assertThrows(() => new SockJsServer({ ...base, ...options }), KiteError, name);
    assertEquals(error.type, "configError");
  }
});

/** A WebSocket that has shaken hands and never says anything again, not even to a close. */
async function silentPeer(server: TestServer): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  await performHandshake(connection, "/echo/000/a/websocket");
  return connection;
}
