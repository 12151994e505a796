import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { eventually } from "../support/eventually.ts";
import { ourKite } from "../interop/our_kite.ts";
import { dialled, exchange, kiteBehind, startReverseProxy, statusOf } from "./support.ts";

const TRANSPORTS = ["WebSocket", "XHRPolling", "rawWebSocket"] as const;

Deno.test("ReverseProxy: calls, callbacks and large messages travel over every transport", async () => {
  await using proxy = await startReverseProxy();
  await using behind = await kiteBehind(proxy);
  assertEquals(behind.url, `${proxy.url.replace(/\/kite$/, "")}/proxy/${behind.kite.id}`);
  for (const transport of TRANSPORTS) {
    // A raw WebSocket is served at the path of the kite itself.
    await using client = await dialled(behind.url, { transport });
    assertEquals(await client.tell("square", 4), 16, transport);
    const text = "é".repeat(600_000);
    assertEquals(await client.tell("echo", text), [text], transport);
    const called = Promise.withResolvers<unknown>();
    assertEquals(await client.tell("callback", 7, called.resolve), "called");
    assertEquals(await called.promise, 7, transport);
  }
});

Deno.test("ReverseProxy: streaming transports arrive piece by piece", async () => {
  await using proxy = await startReverseProxy();
  await using behind = await kiteBehind(proxy);
  for (const [method, name] of [["GET", "eventsource"], ["POST", "xhr_streaming"]] as const) {
    const response = await fetch(`${behind.url}/042/${name}-session/${name}`, { method });
    assertEquals(response.status, 200);
    // The session goes on, so the open frame comes only if nothing holds it back.
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!/(^|\n)(data: )?o\r?\n/.test(text)) text += (await reader.read()).value ?? "";
    await reader.cancel();
  }
});

Deno.test("ReverseProxy: the query and the rest of the path reach the kite, unchanged", async () => {
  await using proxy = await startReverseProxy();
  const seen: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { pathname, search } = new URL(request.url);
    seen.push(`${request.method} ${pathname}${search}`);
    return new Response("redirected", { status: 302, headers: { location: "http://evil/" } });
  });
  await using kite = ourKite();
  const url = await kite.registerToProxy(`http://127.0.0.1:${server.addr.port}/base/`, {
    proxyUrl: proxy.url,
    kontrol: false,
  });
  const response = await fetch(`${url}/files/a%20b?x=%2F..&y=1`, { redirect: "manual" });
  // A redirect is the client's to follow, or not.
  assertEquals([response.status, await response.text()], [302, "redirected"]);
  assertEquals(seen, ["GET /base/files/a%20b?x=%2F..&y=1"]);
  await server.shutdown();
});

Deno.test("ReverseProxy: an unknown kite is answered 502, over HTTP and WebSocket", async () => {
  await using proxy = await startReverseProxy();
  const origin = proxy.url.replace(/\/kite$/, "");
  const response = await fetch(`${origin}/proxy/nosuch/info`);
  assertEquals(response.status, 502);
  assertEquals(await response.text(), "No kite with this id is registered at this proxy\n");
  const handshake =
    "GET /proxy/nosuch/1/2/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n" +
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
  assertEquals(statusOf(await exchange(proxy.port, handshake)), 502);
  await assertRejects(() => dialled(`${origin}/proxy/nosuch`), KiteError, "502");
});

Deno.test("ReverseProxy: a kite is forgotten when it disconnects", async () => {
  await using proxy = await startReverseProxy();
  const behind = await kiteBehind(proxy);
  await using client = await dialled(behind.url);
  assertEquals(await client.tell("square", 3), 9);
  await behind.kite.close();
  await eventually(() => proxy.load.kites === 0);
  assertEquals((await (await fetch(`${behind.url}/info`)).text()).slice(0, 7), "No kite");
  await eventually(() => proxy.load.exchanges === 0);
});

Deno.test("ReverseProxy: a kite that is registered but does not answer is a 502, and no call hangs", async () => {
  await using proxy = await startReverseProxy();
  await using kite = ourKite();
  const url = await kite.registerToProxy("http://127.0.0.1:9/kite", {
    proxyUrl: proxy.url,
    kontrol: false,
  });
  const response = await fetch(`${url}/info`);
  assertEquals([response.status, await response.text()], [502, "The kite cannot be reached\n"]);
  await assertRejects(() => dialled(url), KiteError, "502");
  await eventually(() => proxy.load.exchanges === 0);
});

Deno.test("ReverseProxy: register refuses URLs that are not a kite's", async () => {
  await using proxy = await startReverseProxy({ refusePrivateAddresses: true });
  for (
    const [url, reason] of [
      ["ftp://a/kite", "http, https, ws or wss"],
      ["file:///etc/passwd", "http, https, ws or wss"],
      ["/kite", "http, https, ws or wss"],
      ["http://user:secret@a/kite", "no user, password, query or fragment"],
      ["http://a/kite?x=1", "no user, password, query or fragment"],
      ["http://a//kite", "plain path"],
      ["http://127.0.0.1/kite", "private address"],
      ["http://0x7f.1/kite", "private address"],
      ["http://[::1]/kite", "private address"],
      ["http://[::ffff:10.0.0.1]/kite", "private address"],
      ["http://169.254.169.254/kite", "private address"],
    ] as const
  ) {
    await using kite = ourKite();
    const refused = kite.registerToProxy(url, { proxyUrl: proxy.url, kontrol: false });
    const error = await assertRejects(() => refused, KiteError, reason);
    assertEquals(error.type, "argumentError", url);
    assertEquals(error.message.includes("secret"), false);
  }
  assertEquals(proxy.load.kites, 0);
});

Deno.test("ReverseProxy: refusePrivateAddresses holds for names that resolve to one", async () => {
  await using proxy = await startReverseProxy({ refusePrivateAddresses: true });
  await using kite = ourKite();
  const server = await kite.listen();
  const url = await kite.registerToProxy(`http://localhost:${server.port}/kite`, {
    proxyUrl: proxy.url,
    kontrol: false,
  });
  const response = await fetch(`${url}/info`);
  assertEquals([response.status, await response.text()], [502, "The kite cannot be reached\n"]);
});

Deno.test("ReverseProxy: another user cannot take over the id of a kite that is registered", async () => {
  await using proxy = await startReverseProxy();
  await using behind = await kiteBehind(proxy, { username: "alice" });
  await using thief = ourKite({ username: "mallory", id: behind.kite.id });
  await assertRejects(
    () => thief.registerToProxy("http://127.0.0.1:9/kite", { proxyUrl: proxy.url, kontrol: false }),
    KiteError,
    "another user's kite has this id",
  );
  await using client = await dialled(behind.url);
  assertEquals(await client.tell("square", 5), 25);
});

Deno.test("ReverseProxy: a kite beyond limits.kites, and an exchange beyond limits.exchangesPerKite, are refused", async () => {
  await using proxy = await startReverseProxy({ limits: { kites: 1, exchangesPerKite: 1 } });
  await using behind = await kiteBehind(proxy);
  await using second = new Kite("second", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
  const line = second.newClient(proxy.url);
  await line.dial();
  await assertRejects(() => line.tell("register", "http://a/kite"), KiteError, "limit: kites");
  await using client = await dialled(behind.url, { transport: "WebSocket" });
  assertEquals(await client.tell("square", 2), 4);
  const response = await fetch(`${behind.url}/info`);
  assertEquals([response.status, await response.text()], [
    503,
    "The proxy is busy\n",
  ]);
});

Deno.test("ReverseProxy: a request that has passed the proxy before is refused", async () => {
  await using proxy = await startReverseProxy();
  await using kite = ourKite();
  const origin = proxy.url.replace(/\/kite$/, "");
  const url = await kite.registerToProxy(`${origin}/proxy/${kite.id}`, {
    proxyUrl: proxy.url,
    kontrol: false,
  });
  const response = await fetch(`${url}/info`);
  assertEquals(response.status, 508);
  assertMatch(await response.text(), /already passed this proxy/);
});

Deno.test("ReverseProxy: the proxy's own kite sees the addresses of its clients", async () => {
  await using proxy = await startReverseProxy({ kite: { limits: { sessionsPerAddress: 1 } } });
  const addresses: string[] = [];
  proxy.kite.onConnect((client) => addresses.push(client.remoteAddress));
  const first = new Kite("first", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
  await using line = first.newClient(proxy.url);
  await line.dial();
  assertEquals(addresses, ["127.0.0.1:0"]);
  await using second = first.newClient(proxy.url);
  await assertRejects(() => second.dial(), KiteError, "503");
});

Deno.test("ReverseProxy: TLS on either side", async () => {
  const tls = {
    certFile: new URL("../transport/tls/cert.pem", import.meta.url).pathname,
    keyFile: new URL("../transport/tls/key.pem", import.meta.url).pathname,
  };
  const ca = await Deno.readTextFile(new URL("../transport/tls/ca.pem", import.meta.url));
  await using proxy = await startReverseProxy({ tls, publicHost: "localhost", kite: { ca } });
  await using kite = ourKite({ tls, ca });
  const server = await kite.listen();
  const own = `https://localhost:${server.port}/kite`;
  const url = await kite.registerToProxy(own, { proxyUrl: proxy.url, kontrol: false });
  assertMatch(url, /^https:\/\/localhost:\d+\/proxy\//);
  for (const transport of ["WebSocket", "XHRPolling"] as const) {
    const caller = new Kite("caller", "1.0.0", { kiteKey: "", logLevel: "FATAL", ca });
    await using client = caller.newClient(url, { transport });
    await client.dial();
    assertEquals(await client.tell("square", 6), 36, transport);
  }
});
