import { assert, assertEquals, assertMatch } from "@std/assert";
import { serve, type ServeOptions } from "../../src/runtime/serve.ts";
import { eventually } from "../support/eventually.ts";
import { within } from "../transport/support.ts";
import { targetKite } from "./kites.ts";

const TLS = new URL("../transport/tls/", import.meta.url);
const ENCODER = new TextEncoder();

function listen(options: Partial<ServeOptions> = {}) {
  return serve(() => new Response("hello\n"), {
    hostname: "127.0.0.1",
    port: 0,
    onError: (error) => {
      throw error;
    },
    ...options,
  });
}

async function connect(port: number, isTls: boolean): Promise<Deno.Conn> {
  if (!isTls) return await Deno.connect({ hostname: "127.0.0.1", port });
  const caCerts = [await Deno.readTextFile(new URL("ca.pem", TLS))];
  return await Deno.connectTls({ hostname: "localhost", port, caCerts });
}

async function tls(): Promise<{ cert: string; key: string }> {
  const [cert, key] = await Promise.all(
    ["cert.pem", "key.pem"].map((name) => Deno.readTextFile(new URL(name, TLS))),
  );
  return { cert: cert!, key: key! };
}

/** Reads until the peer ends the connection. */
async function untilEnd(connection: Deno.Conn): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4_096);
  let text = "";
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

const STARTS: Record<string, string> = {
  "a silent connection": "",
  "half a request line": "GET / HT",
  "half a header": "GET / HTTP/1.1\r\nHost: x\r\nX: ",
  "an idle connection after a request": "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
  "half a second request": "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HT",
};

for (const isTls of [false, true]) {
  for (const [name, start] of Object.entries(STARTS)) {
    Deno.test(`idleTimeout: ${name} is closed${isTls ? " (TLS)" : ""}`, async () => {
      const server = await listen({ idleTimeout: 100, ...(isTls ? { tls: await tls() } : {}) });
      using connection = await connect(server.port, isTls);
      if (start !== "") await connection.write(ENCODER.encode(start));
      const text = await within(untilEnd(connection), "the end of the connection");
      assertEquals(text.includes("hello"), start.includes("\r\n\r\n"));
      await server.close();
    });
  }
}

Deno.test("idleTimeout: a connection that sends its header byte by byte is closed", async () => {
  const server = await listen({ idleTimeout: 200 });
  using connection = await connect(server.port, false);
  await connection.write(ENCODER.encode("GET / HTTP/1.1\r\nHost: x\r\n"));
  const drip = setInterval(() => {
    connection.write(ENCODER.encode("X: y\r\n")).catch(() => clearInterval(drip));
  }, 20);
  try {
    assertEquals(await within(untilEnd(connection), "the end of the connection"), "");
  } finally {
    clearInterval(drip);
  }
  await server.close();
});

for (const bytes of [[], [0x16, 3, 1, 2, 0, 1, 0]]) {
  const name = bytes.length === 0 ? "has not begun" : "is incomplete";
  Deno.test(`idleTimeout: a connection whose TLS handshake ${name} is closed`, async () => {
    const server = await listen({ idleTimeout: 200, tls: await tls() });
    using connection = await connect(server.port, false);
    if (bytes.length > 0) await connection.write(Uint8Array.from(bytes));
    assertEquals(await within(untilEnd(connection), "the end of the connection"), "");
    await server.close();
  });
}

Deno.test("connections: unfinished TLS handshakes make room for a newcomer", async () => {
  const server = await listen({ connections: 2, idleTimeout: 60_000, tls: await tls() });
  const silent = [];
  for (let i = 0; i < 6; i++) silent.push(await connect(server.port, false));
  const connection = await connect(server.port, true);
  await connection.write(ENCODER.encode(STARTS["an idle connection after a request"]!));
  const buffer = new Uint8Array(1_000);
  const count = await within(connection.read(buffer), "an answer");
  assertMatch(new TextDecoder().decode(buffer.subarray(0, count!)), /^HTTP\/1.1 200 /);
  for (const one of [...silent, connection]) one.close();
  await server.close();
});

Deno.test("idleTimeout: a request that takes longer than that is answered", async () => {
  const server = await serve(async () => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    return new Response("hello\n");
  }, { hostname: "127.0.0.1", port: 0, idleTimeout: 50, onError: () => {} });
  const response = await fetch(`http://127.0.0.1:${server.port}/`);
  assertEquals(await response.text(), "hello\n");
  await server.close();
});

Deno.test("connections: silent ones make room for a newcomer", async () => {
  const server = await listen({ connections: 3 });
  const silent = [];
  for (let i = 0; i < 8; i++) silent.push(await connect(server.port, false));
  const response = await fetch(`http://127.0.0.1:${server.port}/`, {
    headers: { connection: "close" },
  });
  assertEquals(await response.text(), "hello\n");
  const ended = silent.slice(0, 5).map((connection) => untilEnd(connection));
  await within(Promise.all(ended), "the end of the first connections");
  for (const connection of silent) connection.close();
  await server.close();
});

Deno.test("a kite without free file descriptors keeps running, and serves again once some are free", async () => {
  const kite = new URL("../../mod.ts", import.meta.url).href;
  const code = `import { Kite } from "${kite}";
    const kite = new Kite("k", "1.0.0", { ip: "127.0.0.1", kiteKey: "", limits: { connections: 1_000 } });
    const server = await kite.listen();
    console.log(server.port);`;
  const config = new URL("../../deno.json", import.meta.url).pathname;
  const script = `ulimit -n 60; exec "$0" run --quiet -A --config "$1" - `;
  const process = new Deno.Command("sh", {
    args: ["-c", script, Deno.execPath(), config],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = process.stderr.text();
  const writer = process.stdin.getWriter();
  await writer.write(ENCODER.encode(code));
  await writer.close();
  const reader = process.stdout.getReader();
  const { value } = await reader.read();
  const port = Number(new TextDecoder().decode(value));
  try {
    const flood = [];
    for (let i = 0; i < 120; i++) flood.push(await connect(port, false));
    await new Promise((resolve) => setTimeout(resolve, 500));
    for (const connection of flood) connection.close();
    await eventually(async () => {
      using connection = await connect(port, false);
      const request = "GET /kite/info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
      await connection.write(ENCODER.encode(request));
      const text = await within(untilEnd(connection), "an answer", 1_000);
      return text.startsWith("HTTP/1.1 200");
    }, { withinMs: 15_000, what: "an answer" });
  } catch (error) {
    const ended = await within(process.status, "the end of the kite", 1_000).catch(() => undefined);
    if (ended === undefined) throw error;
    const { code, signal } = ended;
    throw new Error(`The kite ended with ${signal ?? code}:\n${await errors}`, { cause: error });
  } finally {
    // Fails if the kite has ended, which the error above reports.
    try {
      process.kill("SIGKILL");
    } catch { /* has ended */ }
    await process.status;
    await errors;
    await reader.cancel();
  }
});

Deno.test("a WebSocket whose peer never answers the close is dropped", async () => {
  const kite = targetKite();
  const server = await kite.listen();
  using peer = await connect(server.port, false);
  const key = btoa("0123456789abcdef");
  await peer.write(ENCODER.encode(
    `GET /kite/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  ));
  await eventually(() => kite.connections.size === 1);
  const [connection] = kite.connections;
  connection!.close();
  const text = await within(untilEnd(peer), "the end of the connection", 15_000);
  assertMatch(text, /^HTTP\/1.1 101 /);
  assert(kite.connections.size === 0);
  await kite.close();
});
