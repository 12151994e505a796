import { assertEquals } from "@std/assert";
import { eventually } from "../../../support/eventually.ts";
import { assertAnswer, closeAtOnce, get, post, Recorder, Stream, TestServer } from "./support.ts";

Deno.test("session URLs: accept any server and session without a dot", async () => {
  await using server = new TestServer();
  for (const session of ["a", "_", "1", "abcdefgh_i-j%20"]) {
    assertAnswer(await post(`${server.url}/${session}/${session}/xhr`), 200, "o\n");
  }
});

Deno.test("session URLs: an empty part, a dot or a further part is not found", async () => {
  await using server = new TestServer();
  for (const path of ["//", "/a./a", "/a/a.", "/./.", "/", "///", "/a/a/a", "/a//"]) {
    assertEquals((await get(server.url + path + "/xhr")).status, 404, path);
    assertEquals((await post(server.url + path + "/xhr")).status, 404, path);
  }
  assertEquals((await post(`${server.url}/a/${"s".repeat(257)}/xhr`)).status, 404);
});

Deno.test("session URLs: the server part does not distinguish sessions", async () => {
  await using server = new TestServer();
  const id = crypto.randomUUID();
  assertAnswer(await post(`${server.url}/000/${id}/xhr`), 200, "o\n");
  assertAnswer(await post(`${server.url}/000/${id}/xhr_send`, '["a"]'), 204, "");
  assertAnswer(await post(`${server.url}/999/${id}/xhr`), 200, 'a["a"]\n');
});

Deno.test("protocol: answers with o first, then with messages, one frame per poll", async () => {
  await using server = new TestServer();
  const url = server.session();
  assertAnswer(await post(url + "/xhr"), 200, "o\n");
  assertAnswer(await post(url + "/xhr_send", '["a","b"]'), 204, "");
  assertAnswer(await post(url + "/xhr_send", '["c"]'), 204, "");
  assertAnswer(await post(url + "/xhr"), 200, 'a["a","b","c"]\n');
});

Deno.test("protocol: a poll waits for the first message, and receives all messages of that turn", async () => {
  await using server = new TestServer();
  const url = server.session();
  await post(url + "/xhr");
  const poll = post(url + "/xhr");
  server.sessions[0]?.send("x");
  server.sessions[0]?.send("y");
  assertAnswer(await poll, 200, 'a["x","y"]\n');
});

Deno.test("protocol: sending to an unknown session is answered 404", async () => {
  await using server = new TestServer();
  assertEquals((await post(server.session() + "/xhr_send", '["a"]')).status, 404);
  assertEquals((await post(server.session() + "/jsonp_send", "d=[]")).status, 404);
});

Deno.test("protocol: a second receiver is refused with code 2010", async () => {
  await using server = new TestServer();
  const url = server.session();
  await post(url + "/xhr");
  await using first = Stream.start("POST", url + "/xhr");
  await eventually(() => server.responses === 2);
  assertAnswer(await post(url + "/xhr"), 200, 'c[2010,"Another connection still open"]\n');
  await post(url + "/xhr_send", '["still here"]');
  await first.expect('a["still here"]\n');
  await first.expectEnd();
});

Deno.test("protocol: a closed session answers with its close frame until it is forgotten", async () => {
  await using server = new TestServer({ onSession: closeAtOnce, disconnectDelay: 300 });
  const url = server.session();
  assertAnswer(await post(url + "/xhr"), 200, "o\n");
  for (let i = 0; i < 3; i++) {
    assertAnswer(await post(url + "/xhr"), 200, 'c[3000,"Go away!"]\n');
    assertEquals((await post(url + "/xhr_send", '["a"]')).status, 204);
  }
  assertEquals(server.sockjs.sessionCount, 0);
  await eventually(async () => (await post(url + "/xhr_send", "[]")).status === 404);
  assertAnswer(await post(url + "/xhr"), 200, "o\n");
});

Deno.test("protocol: messages sent before close arrive before the close frame", async () => {
  await using server = new TestServer();
  const url = server.session();
  await post(url + "/xhr");
  server.sessions[0]?.send("last");
  server.sessions[0]?.close(4001, "done");
  assertAnswer(await post(url + "/xhr"), 200, 'a["last"]\n');
  assertAnswer(await post(url + "/xhr"), 200, 'c[4001,"done"]\n');
});

Deno.test("protocol: a session without a receiver ends after the disconnect delay", async () => {
  const recorder = new Recorder();
  await using server = new TestServer({
    disconnectDelay: 100,
    onSession: (session) => session.attach(recorder),
  });
  const url = server.session();
  await post(url + "/xhr");
  assertEquals(server.sockjs.sessionCount, 1);
  await eventually(() => recorder.ends.length > 0);
  assertEquals(recorder.ends, [{ code: 1006, reason: "Session timed out" }]);
  assertEquals(server.sockjs.sessionCount, 0);
  assertEquals((await post(url + "/xhr_send", '["a"]')).status, 404);
});

Deno.test("protocol: a receiver that waits keeps its session beyond the disconnect delay", async () => {
  await using server = new TestServer({ disconnectDelay: 50 });
  const url = server.session();
  await using stream = await Stream.open("POST", url + "/xhr_streaming");
  await stream.until("o\n");
  await new Promise((resolve) => setTimeout(resolve, 250));
  assertEquals(server.sockjs.sessionCount, 1);
  server.sessions[0]?.send("x");
  await stream.expect('a["x"]\n');
});

Deno.test("heartbeat: an idle poll is answered with h, and polling continues", async () => {
  await using server = new TestServer({ heartbeat: 60 });
  const url = server.session();
  assertAnswer(await post(url + "/xhr"), 200, "o\n");
  assertAnswer(await post(url + "/xhr"), 200, "h\n");
  assertAnswer(await post(url + "/xhr"), 200, "h\n");
});

Deno.test("heartbeat: a stream receives h at intervals", async () => {
  await using server = new TestServer({ heartbeat: 60 });
  await using stream = await Stream.open("GET", server.session() + "/eventsource");
  await stream.expect("\r\ndata: o\r\n\r\ndata: h\r\n\r\ndata: h\r\n\r\n");
});

Deno.test("remoteAddress: is host and port of the peer, on every transport", async () => {
  await using server = new TestServer();
  await post(server.session() + "/xhr");
  assertEquals(/^127\.0\.0\.1:\d+$/.test(server.sessions[0]?.remoteAddress ?? ""), true);
  assertEquals(server.sessions[0]?.transport, "XHRPolling");
});
