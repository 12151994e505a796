import { assert, assertEquals, assertRejects } from "@std/assert";
import { type Client, Kite, KiteError, type RemoteKite } from "../../mod.ts";
import { TunnelTokens } from "../../src/proxy/tunnel/tokens.ts";
import { eventually } from "../support/eventually.ts";
import { ourKite } from "../interop/our_kite.ts";
import { dialled, exchange, kiteInTunnel, startTunnelProxy, statusOf } from "./support.ts";

/** A kite that never dials back, and shows what it is asked to dial. */
async function kiteThatKeeps(proxyUrl: string) {
  const kite = new Kite("keeper", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
  const urls: string[] = [];
  kite.handle("kite.tunnel", ({ args }) => {
    urls.push(args.one().object().field("url").string());
    return null;
  }).disableAuthentication();
  const line = kite.newClient(proxyUrl);
  await line.dial();
  const url = await line.tell<string>("register", "");
  return { url, urls, [Symbol.asyncDispose]: () => kite.close() };
}

function handshake(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
}

Deno.test("TunnelProxy: calls, callbacks and large messages travel over WebSocket and XHR", async () => {
  await using proxy = await startTunnelProxy();
  await using hidden = await kiteInTunnel(proxy);
  assertEquals(hidden.url, `${proxy.url.replace(/\/kite$/, "")}/proxy?kiteID=${hidden.kite.id}`);
  for (const transport of ["WebSocket", "XHRPolling"] as const) {
    await using client = await dialled(hidden.url, { transport });
    assertEquals(await client.tell("square", 4), 16, transport);
    const text = "é\u2028".repeat(300_000);
    assertEquals(await client.tell("echo", text), [text], transport);
    const called = Promise.withResolvers<unknown>();
    await client.tell("callback", 7, called.resolve);
    assertEquals(await called.promise, 7, transport);
  }
});

Deno.test("TunnelProxy: both ends close when one closes", async () => {
  await using proxy = await startTunnelProxy();
  await using hidden = await kiteInTunnel(proxy);
  const client = await dialled(hidden.url, { transport: "WebSocket" });
  assertEquals(await client.tell("square", 4), 16);
  assertEquals(hidden.kite.connections.size, 1);
  client.close();
  await eventually(() => hidden.kite.connections.size === 0 && proxy.load.tunnels === 0);

  const second = await dialled(hidden.url, { transport: "WebSocket" });
  assertEquals(await second.tell("square", 4), 16);
  const gone = new Promise<void>((resolve) => second.onDisconnect(() => resolve()));
  for (const connection of hidden.kite.connections) connection.close();
  await gone;
  await eventually(() => proxy.load.tunnels === 0);
});

Deno.test("TunnelProxy: strangers behind a tunnel have to authenticate", async () => {
  await using proxy = await startTunnelProxy();
  await using hidden = await kiteInTunnel(proxy, { disableAuthentication: false });
  await using client = await dialled(hidden.url);
  await assertRejects(() => client.tell("square", 4), KiteError, "No authentication information");
});

Deno.test("kite.tunnel: only the proxy that was dialled for it may call it", async () => {
  await using proxy = await startTunnelProxy();
  const other = ourKite();
  const arrived: RemoteKite[] = [];
  other.onConnect((remote) => arrived.push(remote));
  await using server = await other.listen();
  await using hidden = await kiteInTunnel(proxy);
  await using line = hidden.kite.newClient(server.url);
  await line.dial();
  const url = `${server.url.replace("http", "ws")}/1/2/websocket`;
  await assertRejects(() => arrived[0]!.tell("kite.tunnel", { url }), KiteError, "not enabled");
  await using stranger = await dialled(hidden.url);
  await assertRejects(() => stranger.tell("kite.tunnel", { url }), KiteError, "not enabled");
});

Deno.test("TunnelProxy: a token opens one tunnel, once, and not after its time", async () => {
  await using proxy = await startTunnelProxy({ limits: { dialBackTimeout: 3_000 } });
  await using keeper = await kiteThatKeeps(proxy.url);
  const first = await dialled(keeper.url, { transport: "WebSocket" });
  const url = await eventually(() => keeper.urls[0]);
  const { pathname, search } = new URL(url);
  const [header, claims, signature] = search.slice("?token=".length).split(".");
  for (
    const token of [
      "",
      "x.y.z",
      `${header}.${claims}.${signature!.slice(0, -4)}AAAA`,
      await (await TunnelTokens.create()).sign(
        { kiteId: "k", tunnelId: pathname.split("/")[3]! },
        9_000,
      ),
    ]
  ) {
    const answer = await exchange(proxy.port, handshake(`${pathname}?token=${token}`));
    assertEquals(statusOf(answer), 403, token);
  }
  const dialBack = new WebSocket(url);
  await new Promise((resolve) => dialBack.onmessage = resolve);
  assertEquals(statusOf(await exchange(proxy.port, handshake(pathname + search))), 403);
  dialBack.close();
  first.close();

  const second = await dialled(keeper.url, { transport: "WebSocket" });
  const ended = new Promise<void>((resolve) => second.onDisconnect(() => resolve()));
  const late = new URL(await eventually(() => keeper.urls[1]));
  await ended; // the kite did not dial back in time
  assertEquals(statusOf(await exchange(proxy.port, handshake(late.pathname + late.search))), 403);
  await eventually(() => proxy.load.tunnels === 0);
});

Deno.test("TunnelProxy: an unknown kite is answered 502, over HTTP and WebSocket", async () => {
  await using proxy = await startTunnelProxy();
  const origin = proxy.url.replace(/\/kite$/, "");
  const response = await fetch(`${origin}/proxy/info?kiteID=nosuch`);
  assertEquals(response.status, 502);
  assertEquals(await response.text(), "No kite with this id is registered at this proxy\n");
  await assertRejects(() => dialled(`${origin}/proxy?kiteID=nosuch`), KiteError, "502");
});

Deno.test("TunnelProxy: a kite that cannot dial back ends the tunnel, and no call hangs", async () => {
  // Its own address leads nowhere, so kites are told to dial what is not there.
  await using proxy = await startTunnelProxy({ publicPort: 9, limits: { dialBackTimeout: 2_000 } });
  await using kite = ourKite();
  const proxyUrl = `http://127.0.0.1:${proxy.port}/kite`;
  await kite.registerToTunnel({ proxyUrl, kontrol: false });
  const client = await dialled(`http://127.0.0.1:${proxy.port}/proxy?kiteID=${kite.id}`);
  const error = await assertRejects(() => client.tell("square", 4), KiteError) as KiteError;
  assertEquals(error.type, "disconnect");
  await eventually(() => proxy.load.tunnels === 0);
});

Deno.test("TunnelProxy: tunnels beyond limits.tunnelsPerKite are refused", async () => {
  await using proxy = await startTunnelProxy({ limits: { tunnelsPerKite: 2 } });
  await using hidden = await kiteInTunnel(proxy);
  const clients: Client[] = [];
  for (let i = 0; i < 2; i++) clients.push(await dialled(hidden.url, { transport: "WebSocket" }));
  await assertRejects(() => dialled(hidden.url, { transport: "WebSocket" }), KiteError, "503");
  clients[0]!.close();
  await eventually(() => proxy.load.tunnels === 1);
  await using third = await dialled(hidden.url, { transport: "WebSocket" });
  assertEquals(await third.tell("square", 4), 16);
  clients[1]!.close();
});

Deno.test("TunnelProxy: a client that does not read makes the kite's end wait, within bounds", async () => {
  const limits = { queuedBytes: 200_000, messageBytes: 1_000_000 };
  await using proxy = await startTunnelProxy({ limits, heartbeat: 500 });
  await using keeper = await kiteThatKeeps(proxy.url);
  // A client by hand: it opens a session and then reads nothing more.
  const { port } = proxy;
  const client = await Deno.connect({ hostname: "127.0.0.1", port });
  const { search } = new URL(keeper.url);
  await client.write(new TextEncoder().encode(handshake(`/proxy/1/slow/websocket${search}`)));
  await client.read(new Uint8Array(1_000));
  const dialBack = new WebSocket(await eventually(() => keeper.urls[0]));
  const closed = new Promise<void>((resolve) => dialBack.onclose = () => resolve());
  await new Promise((resolve) => dialBack.onmessage = resolve);
  const frame = JSON.stringify(["x".repeat(100_000)]);
  for (let i = 0; i < 400; i++) dialBack.send(frame);
  // The proxy stops reading, so most of the 40 MB stay with the sender until the client is given up.
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert(
    dialBack.bufferedAmount > 20_000_000,
    `${dialBack.bufferedAmount} bytes wait at the sender`,
  );
  await closed;
  await eventually(() => proxy.load.tunnels === 0);
  client.close();
});

Deno.test("TunnelProxy: incomplete messages of one address use little memory, and end no other tunnel", async () => {
  const limits = { messageBytes: 100_000, incomingBytesPerAddress: 200_000 };
  await using proxy = await startTunnelProxy({ kite: { limits } });
  await using hidden = await kiteInTunnel(proxy);
  await using client = await dialled(hidden.url, { transport: "WebSocket" });
  const { search } = new URL(hidden.url);
  // The beginning of a frame of a million bytes.
  const head = [0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0];
  const part = new Uint8Array([...head, ...new Uint8Array(60_000)]);
  const connections = [];
  for (let i = 0; i < 8; i++) {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
    connections.push(connection);
    const text = handshake(`/proxy/1/part${i}/websocket${search}`);
    await connection.write(new TextEncoder().encode(text));
    await eventually(() => proxy.load.tunnels === 2 + i);
  }
  for (const connection of connections) await connection.write(part);
  await eventually(() => proxy.load.tunnels < 6, { what: "the end of most tunnels" });
  assertEquals(await client.tell("square", 4), 16);
  for (const connection of connections) connection.close();
  await eventually(() => proxy.load.tunnels === 1);
  assertEquals(await client.tell("echo", "x".repeat(90_000)), ["x".repeat(90_000)]);
});

Deno.test("TunnelProxy: a broken frame ends that tunnel alone", async () => {
  await using proxy = await startTunnelProxy();
  await using hidden = await kiteInTunnel(proxy);
  await using client = await dialled(hidden.url, { transport: "WebSocket" });
  const { origin, search } = new URL(hidden.url);
  const broken = new WebSocket(`${origin.replace("http", "ws")}/proxy/1/broken/websocket${search}`);
  await new Promise((resolve) => broken.onmessage = resolve);
  broken.send("{not sockjs");
  await new Promise((resolve) => broken.onclose = resolve);
  assertEquals(await client.tell("square", 4), 16);
  await eventually(() => proxy.load.tunnels === 1);
});

Deno.test("TunnelProxy: 1,000 tunnels opened and closed leave nothing behind", async () => {
  await using proxy = await startTunnelProxy();
  await using hidden = await kiteInTunnel(proxy);
  const before = proxy.load.connections;
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(
      Array.from({ length: 100 }, () => dialled(hidden.url, { transport: "WebSocket" })),
    );
    const answers = await Promise.all(clients.map((client, i) => client.tell("square", i)));
    assertEquals(answers, clients.map((_, i) => i ** 2));
    assertEquals(proxy.load.tunnels, 100);
    for (const client of clients) client.close();
    await eventually(() => proxy.load.tunnels === 0, { withinMs: 15_000 });
  }
  await eventually(() => proxy.load.connections === before && hidden.kite.connections.size === 0);
});
