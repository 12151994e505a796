import { assertEquals } from "@std/assert";
import { assertAnswer, assertNotCached, closeAtOnce, get, post, TestServer } from "./support.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

Deno.test("jsonp: sends frames as calls of the callback, with the right headers", async () => {
  await using server = new TestServer();
  const url = server.session();
  const open = await get(url + "/jsonp?c=%63allback");
  assertAnswer(open, 200, '/**/callback("o");\r\n');
  assertEquals(open.headers.get("content-type"), "application/javascript; charset=UTF-8");
  assertEquals(open.headers.get("x-content-type-options"), "nosniff");
  assertNotCached(open);

  const sent = await post(url + "/jsonp_send", "d=%5B%22x%22%5D", FORM);
  assertAnswer(sent, 200, "ok");
  assertEquals(sent.headers.get("content-type"), "text/plain; charset=UTF-8");
  assertNotCached(sent);

  assertAnswer(await get(url + "/jsonp?c=a.b-c_1"), 200, '/**/a.b-c_1("a[\\"x\\"]");\r\n');
});

Deno.test("jsonp_send: a malformed payload is refused, and the session continues", async () => {
  await using server = new TestServer();
  const url = server.session();
  await get(url + "/jsonp?c=x");
  assertAnswer(await post(url + "/jsonp_send", "d=%5B%22x", FORM), 500, "Broken JSON encoding.");
  for (const body of ["", "d=", "p=p"]) {
    assertAnswer(await post(url + "/jsonp_send", body, FORM), 500, "Payload expected.");
  }
  assertAnswer(await post(url + "/jsonp_send", "d=%5B%22b%22%5D", FORM), 200, "ok");
  assertAnswer(await get(url + "/jsonp?c=x"), 200, '/**/x("a[\\"b\\"]");\r\n');
});

Deno.test("jsonp_send: reads the field of a form, or the body itself", async () => {
  await using server = new TestServer();
  const url = server.session();
  await get(url + "/jsonp?c=x");
  assertAnswer(await post(url + "/jsonp_send", "d=%5B%22abc%22%5D", FORM), 200, "ok");
  const plain = { "content-type": "text/plain" };
  assertAnswer(await post(url + "/jsonp_send", '["%61bc"]', plain), 200, "ok");
  assertAnswer(await post(url + "/jsonp_send", "d=%5B%5D", FORM), 200, "ok");
  assertAnswer(await get(url + "/jsonp?c=x"), 200, '/**/x("a[\\"abc\\",\\"%61bc\\"]");\r\n');
});

Deno.test("jsonp: a closed session answers every request with the close frame", async () => {
  await using server = new TestServer({ onSession: closeAtOnce });
  const url = server.session();
  assertAnswer(await get(url + "/jsonp?c=x"), 200, '/**/x("o");\r\n');
  for (let i = 0; i < 2; i++) {
    assertAnswer(await get(url + "/jsonp?c=x"), 200, '/**/x("c[3000,\\"Go away!\\"]");\r\n');
  }
});

Deno.test("cookies: every HTTP transport sets one, and keeps that of the client", async () => {
  await using server = new TestServer({ cookies: true });
  const cookieOf = ({ headers }: { headers: Headers }): string | null => headers.get("set-cookie");
  const info = await get(server.url + "/info");
  assertEquals(JSON.parse(info.text).cookie_needed, true);
  assertEquals(cookieOf(info), null);

  assertEquals(cookieOf(await post(server.session() + "/xhr")), "JSESSIONID=dummy; path=/");
  const cookie = "a=1; JSESSIONID=abcdef; b=2";
  const kept = await post(server.session() + "/xhr", undefined, { cookie });
  assertEquals(cookieOf(kept), "JSESSIONID=abcdef; path=/");
  const url = server.session();
  assertEquals(cookieOf(await get(url + "/jsonp?c=x")), "JSESSIONID=dummy; path=/");
  const sent = await post(url + "/jsonp_send", "d=[]", FORM);
  assertEquals(cookieOf(sent), "JSESSIONID=dummy; path=/");
  for (
    const [method, path] of [["POST", "xhr_streaming"], ["GET", "eventsource"], [
      "GET",
      "htmlfile?c=x",
    ]]
  ) {
    const response = await fetch(`${server.session()}/${path}`, { method: method ?? "GET" });
    assertEquals(cookieOf(response), "JSESSIONID=dummy; path=/", path);
    await response.body?.cancel();
  }
});
