import { assertEquals } from "@std/assert";
import { eventually } from "../../../support/eventually.ts";
import {
  assertAnswer,
  assertSocketRefused,
  closeAtOnce,
  post,
  Recorder,
  Stream,
  TestServer,
  TestSocket,
} from "./support.ts";

const PRELUDE = "h".repeat(2048) + "\n";

Deno.test("closing: the close frame ends the response, and every later one", async () => {
  await using server = new TestServer({ onSession: closeAtOnce });
  const url = server.session();
  await using first = await Stream.open("POST", url + "/xhr_streaming");
  await first.expect(PRELUDE + 'o\nc[3000,"Go away!"]\n');
  await first.expectEnd();
  await using second = await Stream.open("POST", url + "/xhr_streaming");
  await second.expect(PRELUDE + 'c[3000,"Go away!"]\n');
  await second.expectEnd();
});

Deno.test("closing: a second stream is refused and ended", async () => {
  await using server = new TestServer();
  const url = server.session();
  await using first = await Stream.open("POST", url + "/xhr_streaming");
  await first.expect(PRELUDE + "o\n");
  await using second = await Stream.open("POST", url + "/xhr_streaming");
  await second.expect(PRELUDE + 'c[2010,"Another connection still open"]\n');
  await second.expectEnd();
});

for (const transport of ["xhr", "xhr_streaming"]) {
  Deno.test(`closing: an aborted ${transport} response ends its session`, async () => {
    const recorder = new Recorder();
    await using server = new TestServer({ onSession: (session) => session.attach(recorder) });
    const url = server.session();
    await post(url + "/xhr");
    {
      await using _stream = Stream.start("POST", `${url}/${transport}`);
      await eventually(() => server.responses === 2);
      assertEquals(recorder.ends, []);
    }
    await eventually(() => recorder.ends.length > 0, { what: "onClose" });
    assertEquals(recorder.ends, [{ code: 1006, reason: "Connection interrupted" }]);
    assertEquals(server.sockjs.sessionCount, 0);
    assertAnswer(await post(url + "/xhr"), 200, 'c[1002,"Connection interrupted"]\n');
  });
}

Deno.test("closing: a stream that ends by itself does not end its session", async () => {
  await using server = new TestServer({ responseLimit: 1 });
  const url = server.session();
  await using stream = await Stream.open("POST", url + "/xhr_streaming");
  await stream.expect(PRELUDE + "o\n");
  await stream.expectEnd();
  assertEquals(server.sessions[0]?.isOpen, true);
});

Deno.test("server close: ends sessions of every transport before it resolves", async () => {
  const recorders: Recorder[] = [];
  await using server = new TestServer({
    onSession: (session) => {
      const recorder = new Recorder();
      recorders.push(recorder);
      session.attach(recorder);
    },
  });
  const framed = await TestSocket.open(server.session() + "/websocket");
  const raw = await TestSocket.open(server.url + "/websocket");
  const url = server.session();
  await post(url + "/xhr");
  const poll = post(url + "/xhr");
  await using stream = await Stream.open("GET", server.session() + "/eventsource");
  await stream.expect("\r\ndata: o\r\n\r\n");
  await eventually(() => server.sockjs.sessionCount === 4);

  await server.sockjs.close();
  assertEquals(server.sockjs.sessionCount, 0);
  assertAnswer(await poll, 200, 'c[3000,"Go away!"]\n');
  await stream.expect('data: c[3000,"Go away!"]\r\n\r\n');
  await stream.expectEnd();
  assertEquals(await framed.next(), "o");
  assertEquals(await framed.next(), 'c[3000,"Go away!"]');
  assertEquals(await framed.ended(), { code: 3000, reason: "Go away!" });
  assertEquals(await raw.ended(), { code: 3000, reason: "Go away!" });
  for (const { ends } of recorders) assertEquals(ends, [{ code: 3000, reason: "Go away!" }]);
});

Deno.test("server close: later sessions are refused with 503, pages still served", async () => {
  await using server = new TestServer();
  await server.sockjs.close();
  await server.sockjs.close();
  assertEquals((await post(server.session() + "/xhr")).status, 503);
  await assertSocketRefused(server);
  assertEquals(server.sessions.length, 0);
  assertEquals(await fetch(server.url).then((response) => response.text()), "Welcome to SockJS!\n");
});
