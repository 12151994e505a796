import { assertEquals } from "@std/assert";
import {
  ask,
  assertAnswer,
  assertCors,
  assertNotCached,
  assertPreflight,
  get,
  post,
  Stream,
  TestServer,
} from "./support.ts";

const ORIGIN = { origin: "http://a.example" };

Deno.test("xhr: preflights", async () => {
  await using server = new TestServer();
  for (const name of ["xhr", "xhr_send", "xhr_streaming"]) {
    await assertPreflight(`${server.url}/abc/abc/${name}`, ["OPTIONS", "POST"]);
  }
});

Deno.test("xhr: a preflight allows the requested headers", async () => {
  await using server = new TestServer();
  const url = server.session() + "/xhr";
  const allowed = async (asked?: string): Promise<string | null> => {
    const headers = asked === undefined
      ? ORIGIN
      : { ...ORIGIN, "access-control-request-headers": asked };
    return (await ask("OPTIONS", url, { headers })).headers.get("access-control-allow-headers");
  };
  assertEquals(await allowed("a, b, c"), "a, b, c");
  assertEquals(await allowed(""), null);
  assertEquals(await allowed(), null);
});

Deno.test("xhr: answers polls with the right headers", async () => {
  await using server = new TestServer();
  const url = server.session();
  const open = await post(url + "/xhr", undefined, ORIGIN);
  assertAnswer(open, 200, "o\n");
  assertEquals(open.headers.get("content-type"), "application/javascript; charset=UTF-8");
  assertEquals(open.headers.get("content-length"), "2");
  assertCors(open, ORIGIN.origin);
  assertNotCached(open);

  const sent = await post(url + "/xhr_send", '["x"]', ORIGIN);
  assertAnswer(sent, 204, "");
  assertEquals(sent.headers.get("content-type"), "text/plain; charset=UTF-8");
  assertCors(sent, ORIGIN.origin);
  assertNotCached(sent);

  const answer = await post(url + "/xhr");
  assertAnswer(answer, 200, 'a["x"]\n');
  assertCors(answer);
});

Deno.test("xhr: ignores the query", async () => {
  await using server = new TestServer();
  const url = server.session();
  assertAnswer(await post(url + "/xhr?t=123"), 200, "o\n");
  assertAnswer(await post(url + "/xhr_send?t=124", '["x"]'), 204, "");
  assertAnswer(await post(url + "/xhr?t=125"), 200, 'a["x"]\n');
});

Deno.test("xhr: a wrong method is not allowed", async () => {
  await using server = new TestServer();
  const answer = await get(server.session() + "/xhr");
  assertAnswer(answer, 405, "");
  assertEquals(answer.headers.get("allow"), "OPTIONS, POST");
  assertEquals(answer.headers.get("content-type"), null);
});

Deno.test("xhr_send: a malformed payload is refused, and the session continues", async () => {
  await using server = new TestServer();
  const url = server.session();
  await post(url + "/xhr");
  for (const body of ['["x', "{}", "1", "[1]", "null"]) {
    assertAnswer(await post(url + "/xhr_send", body), 500, "Broken JSON encoding.");
  }
  assertAnswer(await post(url + "/xhr_send", ""), 500, "Payload expected.");
  assertAnswer(await post(url + "/xhr_send"), 500, "Payload expected.");
  assertAnswer(await post(url + "/xhr_send", '["a"]'), 204, "");
  assertAnswer(await post(url + "/xhr"), 200, 'a["a"]\n');
});

Deno.test("xhr_send: accepts any content type, a string, and an empty frame", async () => {
  await using server = new TestServer();
  const url = server.session();
  await post(url + "/xhr");
  const types = [
    "text/plain",
    "T",
    "application/json",
    "application/xml",
    "application/x-www-form-urlencoded",
  ];
  for (const type of types) {
    assertAnswer(await post(url + "/xhr_send", '["a"]', { "content-type": type }), 204, "");
  }
  assertAnswer(await post(url + "/xhr_send", '"b"'), 204, "");
  assertAnswer(await post(url + "/xhr_send", "[]"), 204, "");
  assertAnswer(await post(url + "/xhr"), 200, 'a["a","a","a","a","a","b"]\n');
});

Deno.test("xhr_streaming: sends 2 KiB of prelude, then each frame immediately", async () => {
  await using server = new TestServer();
  const url = server.session();
  await using stream = await Stream.open("POST", url + "/xhr_streaming", ORIGIN);
  assertEquals(stream.response.status, 200);
  assertEquals(
    stream.response.headers.get("content-type"),
    "application/javascript; charset=UTF-8",
  );
  assertCors(stream.response, ORIGIN.origin);
  assertNotCached(stream.response);
  await stream.expect("h".repeat(2048) + "\no\n");
  await post(url + "/xhr_send", '["x"]');
  await stream.expect('a["x"]\n');
  await post(url + "/xhr_send", '["y"]');
  await stream.expect('a["y"]\n');
});

Deno.test("xhr_streaming: ends with the frame that reaches the limit; the next response continues", async () => {
  await using server = new TestServer({ responseLimit: 4096 });
  const url = server.session();
  await using stream = await Stream.open("POST", url + "/xhr_streaming");
  await stream.expect("h".repeat(2048) + "\no\n");
  const frame = `["${"x".repeat(128)}"]`;
  for (let i = 0; i < 31; i++) {
    assertAnswer(await post(url + "/xhr_send", frame), 204, "");
    await stream.expect(`a${frame}\n`);
  }
  await stream.expectEnd();
  await post(url + "/xhr_send", '["next"]');
  await using next = await Stream.open("POST", url + "/xhr_streaming");
  await next.expect("h".repeat(2048) + '\na["next"]\n');
});

Deno.test("xhr_streaming: messages beyond the limit arrive with the next responses, in order", async () => {
  await using server = new TestServer({ responseLimit: 1_000 });
  const url = server.session();
  await post(url + "/xhr");
  const messages = Array.from({ length: 50 }, (_, i) => `${i}:${"x".repeat(97)}`);
  for (const message of messages) server.sessions[0]?.send(message);
  const received: string[] = [];
  while (received.length < messages.length) {
    received.push(...JSON.parse((await post(url + "/xhr")).text.slice(1)));
  }
  assertEquals(received, messages);
});
