/** What a server on Node and Bun does beyond calls: SockJS, TLS, limits and its end. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { OurCaller } from "../interop/caller.ts";
import { ourKite } from "../interop/our_kite.ts";
import { eventually } from "../support/eventually.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { NpmPeer } from "./npm_peer.ts";
import { type Project, run, type Runtime } from "./support.ts";

const TLS = new URL("tests/transport/tls/", ROOT);

/** What each streaming or polling transport of SockJS answers first, by its path. */
const FIRST_FRAMES: readonly (readonly [string, RegExp])[] = [
  ["xhr", /^o\n$/],
  ["xhr_streaming", /^h{2048}\no\n$/],
  ["eventsource", /^\r\ndata: o\r\n\r\n$/],
  ["htmlfile?c=cb", /<script>\np\("o"\);\n<\/script>/],
  ["jsonp?c=cb", /^\/\*\*\/cb\("o"\);\r\n$/],
];

/** Checks the first frame of each transport of SockJS that is fed by HTTP responses. */
export async function checkSockJs(project: Project, runtime: Runtime): Promise<void> {
  await using peer = await NpmPeer.serve(project, runtime);
  const info = await (await fetch(`${peer.url}/info`)).json();
  assertEquals(info.websocket, true);
  for (const [path, frame] of FIRST_FRAMES) {
    const method = path.startsWith("xhr") ? "POST" : "GET";
    const session = `${peer.url}/000/${path.replace(/\W.*/, "")}`;
    const response = await fetch(`${session}/${path}`, { method });
    assertEquals(response.status, 200, path);
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!frame.test(text)) {
      const { done, value } = await reader.read();
      assert(!done, `${path}: ${JSON.stringify(text)}`);
      text += value;
    }
    await reader.cancel();
  }
  const plain = await fetch(`${peer.url}/000/none/websocket`);
  assertEquals([plain.status, await plain.text()], [400, 'Can "Upgrade" only to "WebSocket".\n']);
}

/** Checks that the session of a client that leaves during a poll ends. */
export async function checkLeaving(project: Project, runtime: Runtime): Promise<void> {
  await using peer = await NpmPeer.serve(project, runtime);
  const session = `${peer.url}/000/leaving/xhr`;
  await (await fetch(session, { method: "POST" })).text();
  const controller = new AbortController();
  const poll = fetch(session, { method: "POST", signal: controller.signal });
  // Bun sends the head with the first frame only, so the poll's own answer cannot be waited for.
  await (await fetch(`${peer.url}/info`)).text();
  controller.abort();
  await assertRejects(() => poll.then((response) => response.text()), DOMException, "abort");
  await eventually(async () => {
    const text = await (await fetch(session, { method: "POST" })).text();
    return text.startsWith("c[1002");
  }, { what: "the end of the session" });
}

/** Checks TLS in both directions, with a private authority, over WebSocket and XHR. */
export async function checkTls(project: Project, runtime: Runtime): Promise<void> {
  const path = (name: string) => fromFileUrl(new URL(`${name}.pem`, TLS));
  const ca = await Deno.readTextFile(path("ca"));
  {
    const env = { PEER_CERT: path("cert"), PEER_KEY: path("key") };
    await using peer = await NpmPeer.serve(project, runtime, env);
    for (const transport of ["WebSocket", "XHRPolling"] as const) {
      await using kite = ourKite({ ca });
      await using client = kite.newClient(peer.url, { transport });
      await client.dial();
      assertEquals(await new OurCaller(client).call("square", [4]), 16);
    }
    const { hostname, port } = new URL(peer.url);
    using _stalled = await Deno.connect({ hostname, port: Number(port) });
    const before = performance.now();
    await peer.close();
    assert(
      runtime.name === "Bun" || performance.now() - before < 4_000,
      "it waited for a client that does not finish its handshake",
    );
  }
  await using kite = ourKite({ tls: { certFile: path("cert"), keyFile: path("key") } });
  const { url } = await kite.listen();
  for (const transport of ["WebSocket", "XHRPolling"]) {
    await using peer = await NpmPeer.call(project, runtime, url, transport, { PEER_CA: ca });
    assertEquals(await peer.call("square", [4]), 16);
  }
}

/** Checks calls through both proxies of the library, which this runtime runs. */
export async function checkForwarding(project: Project, { program }: Runtime): Promise<void> {
  await project.copy("tests/npm/programs/proxies.ts");
  const path = (name: string) => fromFileUrl(new URL(`${name}.pem`, TLS));
  const env = { PEER_CERT: path("cert"), PEER_KEY: path("key"), PEER_CA: path("ca") };
  const args = ["tests/npm/programs/proxies.ts"];
  const { stdout, stderr } = await run(project.folder, program, args, env);
  assertEquals([stdout, stderr.replace(/^.*(Warning|--trace).*\n/gm, "")], ["ok\n", ""]);
}

/** Checks that connections without a request do not stay, and that requests are read strictly. */
export async function checkConnections(project: Project, runtime: Runtime): Promise<void> {
  const env = { KITE_HANDSHAKE_TIMEOUT: "1s" };
  await using peer = await NpmPeer.serve(project, runtime, env);
  const { hostname, port } = new URL(peer.url);
  const send = async (text: string): Promise<string> => {
    using connection = await Deno.connect({ hostname, port: Number(port) });
    await connection.write(new TextEncoder().encode(text));
    const timer = setTimeout(() => connection.close(), 30_000);
    try {
      return await new Response(connection.readable).text();
    } finally {
      clearTimeout(timer);
    }
  };
  // Both end by themselves: after a second, or on Bun after about ten.
  await Promise.all([send(""), send("GET /kite HTTP/1.1\r\nHost: a")]);
  const odd = "GET /kite/info HTTP/1.1\r\nHost: a/b?c\r\nConnection: close\r\n\r\n";
  assertMatch(await send(odd), /^HTTP\/1\.1 400 /);
  const broken = "GET /kite HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\r\n";
  assertMatch(await send(broken), /^HTTP\/1\.1 400 /);
  const other =
    "GET /kite HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade, close\r\n\r\n";
  assertStringIncludes(await send(other), "Welcome to SockJS!");
  if (runtime.name !== "Bun") await checkStrictly(send);
}

/** Checks requests that Node parses, and that are nevertheless refused or must wait. */
async function checkStrictly(send: (text: string) => Promise<string>): Promise<void> {
  const upgrade = (version: string, more = "") =>
    `GET /kite/websocket HTTP/${version}\r\nHost: a\r\nConnection: Upgrade\r\n` +
    `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
    `Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${more}\r\n`;
  const get = "GET /kite HTTP/1.1\r\nHost: a\r\n\r\n";
  assertMatch(await send(upgrade("1.1", "Content-Length: 4\r\n") + "body"), /^HTTP\/1\.1 400 /);
  assertMatch(await send(upgrade("1.0")), /^HTTP\/1\.1 400 /);
  assertMatch(await send("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), /^HTTP\/1\.1 501 /);
  assertMatch(await send("GET /kite\r\n\r\n"), /^HTTP\/1\.1 505 /);
  const poll = "POST /kite/0/strict/xhr HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
  assertEquals((await send(poll + poll + upgrade("1.1"))).includes("HTTP/1.1 101 "), false);
  const last = get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
  const answers = await send(get.repeat(300) + last);
  assertEquals(answers.split("Welcome to SockJS!").length - 1, 301);
}

/** Checks that a message beyond the limit ends its connection and not the server. */
export async function checkLongMessage(project: Project, runtime: Runtime): Promise<void> {
  await using peer = await NpmPeer.serve(project, runtime, { PEER_MESSAGE_BYTES: "100000" });
  const socket = new WebSocket(`${peer.url.replace("http:", "ws:")}/websocket`);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  await new Promise((resolve) => socket.onopen = resolve);
  socket.send("x".repeat(300_000));
  await closed;
  assertEquals((await fetch(`${peer.url}/info`)).ok, true);
}

/** Checks that a server with as many connections as it may have refuses a further request. */
export async function checkManyConnections(project: Project, runtime: Runtime): Promise<void> {
  const most = 4;
  await using peer = await NpmPeer.serve(project, runtime, { PEER_CONNECTIONS: String(most) });
  const info = () =>
    fetch(`${peer.url}/info`).then(
      async (response) => {
        await response.body?.cancel();
        return response.status;
      },
      () => "closed",
    );
  const streams: Response[] = [];
  for (let index = 0; index < most; index++) {
    const session = `${peer.url}/000/many${index}`;
    streams.push(await fetch(`${session}/xhr_streaming`, { method: "POST" }));
  }
  assertEquals(await info(), runtime.name === "Bun" ? 503 : "closed");
  for (const stream of streams) await stream.body?.cancel();
  await eventually(async () => await info() === 200, { what: "an answer" });
}

/** Checks that closing a kite lets a running call finish, and ends its process' connections. */
export async function checkClosing(project: Project, runtime: Runtime): Promise<void> {
  await using peer = await NpmPeer.serve(project, runtime);
  await using kite = ourKite();
  await using client = kite.newClient(peer.url, { reconnect: false });
  await client.dial();
  const running = client.tell("slow", 300);
  await client.tell("square", 1); // the first call has arrived too
  await peer.close();
  assertEquals(await running, 300);
  const refused = await fetch(`${peer.url}/info`).then(() => false, () => true);
  assert(refused, "it still listens");
}
