import { assertEquals } from "@std/assert";
import {
  assertAnswer,
  assertCors,
  assertNotCached,
  get,
  post,
  Stream,
  TestServer,
} from "./support.ts";

Deno.test("eventsource: sends frames as events", async () => {
  await using server = new TestServer();
  const url = server.session();
  await using stream = await Stream.open("GET", url + "/eventsource", {
    origin: "http://a.example",
  });
  assertEquals(stream.response.status, 200);
  assertEquals(stream.response.headers.get("content-type"), "text/event-stream");
  assertNotCached(stream.response);
  assertCors(stream.response, "http://a.example");
  await stream.expect("\r\ndata: o\r\n\r\n");
  await post(url + "/xhr_send", '["x"]');
  await stream.expect('data: a["x"]\r\n\r\n');
  await post(url + "/xhr_send", String.raw`["  \u0000\n\r "]`);
  await stream.expect(String.raw`data: a["  \u0000\n\r "]` + "\r\n\r\n");
});

Deno.test("eventsource: ends at the limit", async () => {
  await using server = new TestServer({ responseLimit: 4096 });
  const url = server.session();
  await using stream = await Stream.open("GET", url + "/eventsource");
  await stream.expect("\r\ndata: o\r\n\r\n");
  const frame = `["${"x".repeat(4096)}"]`;
  await post(url + "/xhr_send", frame);
  await stream.expect(`data: a${frame}\r\n\r\n`);
  await stream.expectEnd();
});

Deno.test("eventsource: a wrong method is not allowed", async () => {
  await using server = new TestServer();
  const answer = await post(server.session() + "/eventsource");
  assertAnswer(answer, 405, "");
  assertEquals(answer.headers.get("allow"), "GET");
});

Deno.test("htmlfile: sends a page of more than 1024 bytes, then a script per frame", async () => {
  await using server = new TestServer();
  const url = server.session();
  await using stream = await Stream.open("GET", url + "/htmlfile?c=%63allback");
  assertEquals(stream.response.status, 200);
  assertEquals(stream.response.headers.get("content-type"), "text/html; charset=UTF-8");
  assertNotCached(stream.response);
  const head = await stream.until("\r\n\r\n");
  assertEquals(head.length > 1024, true);
  assertEquals(head.trim().startsWith("<!doctype html>\n<html><head>\n"), true);
  assertEquals(head.includes("    var c = parent.callback;\n    c.start();\n"), true);
  assertEquals(head.trim().endsWith("window.onload = function() {c.stop();};\n  </script>"), true);
  await stream.expect('<script>\np("o");\n</script>\r\n');
  await post(url + "/xhr_send", '["x"]');
  await stream.expect('<script>\np("a[\\"x\\"]");\n</script>\r\n');
});

Deno.test("htmlfile: no message can end its script element", async () => {
  await using server = new TestServer();
  const url = server.session();
  await using stream = await Stream.open("GET", url + "/htmlfile?c=cb");
  await stream.until('p("o");\n</script>\r\n');
  const evil = "</script><script>alert(1)</script><!--\u2028";
  server.sessions[0]?.send(evil);
  const script = await stream.until("\n</script>\r\n");
  assertEquals(script.indexOf("<", 1), script.lastIndexOf("</script>"));
  const literal = script.slice("<script>\np(".length, -");\n</script>\r\n".length);
  assertEquals(JSON.parse(JSON.parse(literal).slice(1)), [evil]);
});

Deno.test("htmlfile: ends at the limit", async () => {
  await using server = new TestServer({ responseLimit: 4096 });
  const url = server.session();
  await using stream = await Stream.open("GET", url + "/htmlfile?c=callback");
  await stream.until('p("o");\n</script>\r\n');
  await post(url + "/xhr_send", `["${"x".repeat(4096)}"]`);
  await stream.expect(`<script>\np("a[\\"${"x".repeat(4096)}\\"]");\n</script>\r\n`);
  await stream.expectEnd();
});

for (const name of ["htmlfile", "jsonp"]) {
  Deno.test(`${name}: requires and checks the callback`, async () => {
    await using server = new TestServer();
    const url = `${server.url}/a/a/${name}`;
    for (const query of ["", "?c=", "?callback=x"]) {
      assertAnswer(await get(url + query), 500, '"callback" parameter required\n');
    }
    for (const callback of ["%20", "*", "abc(", "abc%28", "a%0Ab", "x".repeat(33)]) {
      assertAnswer(await get(`${url}?c=${callback}`), 500, 'invalid "callback" parameter\n');
    }
    assertEquals(server.sessions.length, 0);
  });
}
