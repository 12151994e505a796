import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import {
  ask,
  assertAnswer,
  assertCors,
  assertNotCached,
  assertPreflight,
  get,
  TestServer,
} from "./support.ts";

Deno.test("greeting: answers at the prefix, with and without a slash", async () => {
  await using server = new TestServer();
  for (const url of [server.url, server.url + "/"]) {
    const answer = await get(url);
    assertAnswer(answer, 200, "Welcome to SockJS!\n");
    assertEquals(answer.headers.get("content-type"), "text/plain; charset=UTF-8");
    assertEquals(answer.headers.get("set-cookie"), null);
  }
});

Deno.test("greeting: other paths are not found", async () => {
  await using server = new TestServer();
  for (const path of ["/a", "/a.html", "//", "///", "/a/a", "/a/a/", "/a/", "/a/a/nosuch", "x"]) {
    assertEquals((await get(server.url + path)).status, 404, path);
  }
  assertEquals((await get(`http://127.0.0.1:${server.port}/`)).status, 404);
});

Deno.test("greeting: other methods are not allowed", async () => {
  await using server = new TestServer();
  const answer = await ask("POST", server.url);
  assertAnswer(answer, 405, "");
  assertEquals(answer.headers.get("allow"), "GET, HEAD");
  assertEquals(answer.headers.get("content-type"), null);
});

Deno.test("prefix: with an empty prefix, handles only its own routes", async () => {
  await using server = new TestServer({ prefix: "" });
  assertAnswer(await get(`${server.url}/`), 200, "Welcome to SockJS!\n");
  assertEquals((await get(`${server.url}/info`)).status, 200);
  assertAnswer(await ask("POST", `${server.session()}/xhr`), 200, "o\n");
  assertEquals((await get(`${server.url}/metrics`)).status, 404);
});

Deno.test("iframe: answers with the page, for any version and query", async () => {
  await using server = new TestServer({ clientUrl: "http://127.0.0.1/sockjs.js?a&b" });
  const paths = [
    "/iframe.html",
    "/iframe-a.html",
    "/iframe-.html",
    "/iframe-0.1.2.html",
    "/iframe-0.1.2abc-dirty.2144.html",
    "/iframe-a.html?t=1234",
  ];
  for (const path of paths) {
    const { status, headers, text } = await get(server.url + path);
    assertEquals(status, 200, path);
    assertEquals(headers.get("content-type"), "text/html; charset=UTF-8");
    assertMatch(headers.get("cache-control") ?? "", /public.*max-age=31536000/);
    assertEquals(headers.has("expires"), true);
    assertEquals(headers.get("last-modified"), null);
    assertEquals(headers.get("set-cookie"), null);
    assertMatch(text, /<script src="http:\/\/127.0.0.1\/sockjs.js\?a&amp;b"><\/script>/);
    assertMatch(text, /document.domain = document.domain;\n {4}SockJS.bootstrap_iframe\(\);/);
  }
});

Deno.test("iframe: a malformed name is not found", async () => {
  await using server = new TestServer();
  const paths = [
    "/iframe.htm",
    "/iframe",
    "/IFRAME.HTML",
    "/iframe.HTML",
    "/iframe.xml",
    "/iframe-/.html",
  ];
  for (const path of paths) assertEquals((await get(server.url + path)).status, 404, path);
});

Deno.test("iframe: answers 304 to a client that has the page", async () => {
  await using server = new TestServer();
  const etag = (await get(server.url + "/iframe.html")).headers.get("etag") ?? "";
  assertNotEquals(etag, "");
  assertEquals((await get(server.url + "/iframe-1.html")).headers.get("etag"), etag);
  for (const known of [etag, `"x", ${etag}`, "*"]) {
    const answer = await get(server.url + "/iframe.html", { headers: { "if-none-match": known } });
    assertAnswer(answer, 304, "");
    assertEquals(answer.headers.get("content-type"), null);
  }
  const other = await get(server.url + "/iframe.html", { headers: { "if-none-match": '"x"' } });
  assertEquals(other.status, 200);
});

Deno.test("info: describes the features of the server", async () => {
  await using server = new TestServer();
  const answer = await get(server.url + "/info", { headers: { origin: "http://a.example" } });
  assertEquals(answer.status, 200);
  assertEquals(answer.headers.get("content-type"), "application/json; charset=UTF-8");
  assertEquals(answer.headers.get("set-cookie"), null);
  assertNotCached(answer);
  assertCors(answer, "http://a.example");
  assertCors(await get(server.url + "/info"));
  const { entropy, ...rest } = JSON.parse(answer.text);
  assertEquals(rest, { websocket: true, origins: ["*:*"], cookie_needed: false });
  assertEquals(Number.isInteger(entropy) && entropy >= 0 && entropy < 2 ** 32, true);
  assertNotEquals(JSON.parse((await get(server.url + "/info")).text).entropy, entropy);
});

Deno.test("info: answers preflights", async () => {
  await using server = new TestServer();
  await assertPreflight(server.url + "/info", ["OPTIONS", "GET"]);
});

Deno.test("info: reports that WebSockets are disabled", async () => {
  await using server = new TestServer({ webSocket: false });
  assertEquals(JSON.parse((await get(server.url + "/info")).text).websocket, false);
  assertEquals((await get(server.url + "/0/0/websocket")).status, 404);
  assertEquals((await get(server.url + "/websocket")).status, 404);
});
