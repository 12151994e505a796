import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { ourKite } from "../interop/our_kite.ts";
import { dialled, exchange, kiteBehind, startReverseProxy, statusOf } from "./support.ts";

/** A server that counts what reaches it, behind a proxy. */
async function counted() {
  const proxy = await startReverseProxy({ limits: { headersTimeout: 400, requestTimeout: 900 } });
  const heads: Headers[] = [];
  const bodies: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    heads.push(request.headers);
    bodies.push(await request.text().catch(() => "broken"));
    return new Response("reached", {
      headers: {
        "keep-alive": "timeout=99",
        "x-kept": "1",
        "connection": "x-dropped",
        "x-dropped": "1",
      },
    });
  });
  const kite = ourKite();
  await kite.registerToProxy(`http://127.0.0.1:${server.addr.port}/kite`, {
    proxyUrl: proxy.url,
    kontrol: false,
  });
  return {
    proxy,
    heads,
    bodies,
    path: `/proxy/${kite.id}`,
    async [Symbol.asyncDispose]() {
      await kite.close();
      await proxy.close();
      await server.shutdown();
    },
  };
}

Deno.test("ReverseProxy: targets that are no plain path are refused, and reach no kite", async () => {
  await using it = await counted();
  const { port } = it.proxy;
  for (
    const target of [
      `http://127.0.0.1:${port}${it.path}/info`,
      "http://evil.example/",
      "*",
      `${it.path}/../../secret`,
      `${it.path}/..`,
      `${it.path}/./info`,
      `${it.path}/%2e%2e/secret`,
      `${it.path}/.%2E/secret`,
      `${it.path}/a%2f..%2fb`,
      `${it.path}/a%5c..%5cb`,
      `${it.path}/a%00`,
      `${it.path}/a%0d%0aX:1`,
      `${it.path}//evil.example/x`,
      `//evil.example${it.path}`,
      `${it.path}/a\\..\\b`,
      `${it.path}/a%zz`,
      `${it.path}/${"x".repeat(9_000)}`,
    ]
  ) {
    const method = target === "*" ? "OPTIONS" : "GET";
    const answer = await exchange(port, `${method} ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assertEquals(statusOf(answer), 400, target);
  }
  assertEquals(it.heads.length, 0);
});

Deno.test("ReverseProxy: requests whose length is ambiguous are refused, and reach no kite", async () => {
  await using it = await counted();
  const start = `POST ${it.path}/info HTTP/1.1\r\nHost: a\r\n`;
  for (
    const rest of [
      "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
      "Content-Length: +4\r\n\r\nabcd",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
      "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "X: 1\r\n folded\r\n\r\n",
      "Host: b\r\n\r\n",
    ]
  ) {
    assertEquals(statusOf(await exchange(it.proxy.port, start + rest)), 400, rest);
  }
  const unknown = `${start}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`;
  assertEquals(statusOf(await exchange(it.proxy.port, unknown)), 501);
  const bare = `GET ${it.path}/info HTTP/1.1\nHost: a\n\n`;
  assertEquals(statusOf(await exchange(it.proxy.port, bare)), 400);
  assertEquals(it.heads.length, 0);
});

Deno.test("ReverseProxy: a body that hides a second request stays one body, also of a GET", async () => {
  await using it = await counted();
  const hidden = `GET ${it.path}/hidden HTTP/1.1\r\nHost: a\r\n\r\n`;
  const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
  for (const method of ["GET", "POST", "DELETE"]) {
    const text = `${method} ${it.path}/info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n` +
      `Transfer-Encoding: chunked\r\n\r\n${chunk}`;
    assertEquals(statusOf(await exchange(it.proxy.port, text)), 200, method);
  }
  // `Request` shows no body of a GET.
  assertEquals(it.bodies, ["", hidden, hidden]);
});

Deno.test("ReverseProxy: hop-by-hop headers go no further, either way", async () => {
  await using it = await counted();
  const answer = await exchange(
    it.proxy.port,
    `GET ${it.path}/info HTTP/1.1\r\nHost: a\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\n` +
      "Keep-Alive: timeout=9\r\nProxy-Authorization: Basic eDp5\r\nTE: trailers\r\nX-Kept: 1\r\n" +
      "X-Forwarded-For: 9.9.9.9\r\n\r\n",
  );
  assertEquals(statusOf(answer), 200);
  const [head] = it.heads;
  for (const name of ["x-secret", "keep-alive", "proxy-authorization", "te", "upgrade"]) {
    assertEquals(head!.get(name), null, name);
  }
  assertEquals(head!.get("x-kept"), "1");
  assertEquals(head!.get("x-forwarded-for"), "9.9.9.9, 127.0.0.1");
  assertEquals(/^x-kept: 1\r$/im.test(answer), true);
  assertEquals(/timeout=99|x-dropped/i.test(answer), false);
});

Deno.test("ReverseProxy: slow heads, slow bodies and long heads are cut off", async () => {
  await using it = await counted();
  const { port } = it.proxy;
  const start = `POST ${it.path}/info HTTP/1.1\r\nHost: a\r\n`;
  assertEquals(statusOf(await exchange(port, start)), 408);
  // Part of the request has left already, so the connection may just end.
  const slow = await exchange(port, `${start}Content-Length: 10\r\n\r\nabc`);
  assertEquals([0, 408].includes(statusOf(slow)), true, slow);
  assertEquals(statusOf(await exchange(port, `${start}X: ${"x".repeat(20_000)}\r\n\r\n`)), 431);
  assertEquals(it.bodies.filter((body) => body !== "broken"), []);
  await eventually(() => it.proxy.load.exchanges === 0);
});

Deno.test("ReverseProxy: CONNECT, TRACE, and upgrades to anything but WebSocket are refused", async () => {
  await using it = await counted();
  const { port } = it.proxy;
  for (
    const [text, status] of [
      ["CONNECT evil.example:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405],
      [`TRACE ${it.path}/info HTTP/1.1\r\nHost: a\r\n\r\n`, 405],
      [
        `GET ${it.path}/info HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n`,
        400,
      ],
      [
        `POST ${it.path}/1/2/websocket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
        400,
      ],
    ] as const
  ) {
    assertEquals(statusOf(await exchange(port, text)), status, text);
  }
  assertEquals(it.heads.length, 0);
});

Deno.test("ReverseProxy: idle connections beyond limits.connections keep out nobody", async () => {
  await using proxy = await startReverseProxy({ limits: { connections: 4 } });
  await using behind = await kiteBehind(proxy);
  await using client = await dialled(behind.url, { transport: "WebSocket" });
  const idle = [];
  for (let i = 0; i < 6; i++) {
    idle.push(await Deno.connect({ hostname: "127.0.0.1", port: proxy.port }));
  }
  await eventually(() => proxy.load.connections === 4);
  assertEquals(await client.tell("square", 4), 16);
  const answer = await exchange(
    proxy.port,
    "OPTIONS /kite/info HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
  );
  assertEquals(statusOf(answer), 204);
  for (const connection of idle) connection.close();
});
