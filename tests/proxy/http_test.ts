import { assertEquals, assertMatch } from "@std/assert";
import type { ReverseProxy } from "../../src/proxy/mod.ts";
import { ourKite } from "../interop/our_kite.ts";
import { eventually } from "../support/eventually.ts";
import { exchange, startReverseProxy, statusOf } from "./support.ts";

/** A server that answers each connection with what `script` returns for the bytes that have come. */
async function behind(
  proxy: ReverseProxy,
  script: (received: string) => string | undefined,
): Promise<{ path: string; received: string[] } & AsyncDisposable> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const received: string[] = [];
  const connections = new Set<Deno.Conn>();
  const serve = async (connection: Deno.Conn): Promise<void> => {
    const index = received.push("") - 1;
    const buffer = new Uint8Array(65_536);
    try {
      for (;;) {
        const length = await connection.read(buffer);
        if (length === null) break;
        received[index] += new TextDecoder().decode(buffer.subarray(0, length));
        const answer = script(received[index]!);
        if (answer === undefined) continue;
        await connection.write(new TextEncoder().encode(answer));
        if (!/content-length|chunked|HTTP\/1.1 (?:1|204|304)/i.test(answer)) break;
        if (/connection: close/i.test(answer)) break;
      }
    } catch {
      // The proxy has closed it.
    }
    if (connections.delete(connection)) connection.close();
  };
  const accepting = (async () => {
    for await (const connection of listener) {
      connections.add(connection);
      void serve(connection);
    }
  })();
  const kite = ourKite();
  await kite.registerToProxy(`http://127.0.0.1:${listener.addr.port}/kite`, {
    proxyUrl: proxy.url,
    kontrol: false,
  });
  return {
    path: `/proxy/${kite.id}`,
    received,
    async [Symbol.asyncDispose]() {
      await kite.close();
      listener.close();
      await accepting;
      for (const connection of connections) connection.close();
      connections.clear();
    },
  };
}

/** The last part of the path of the last request. */
function lastOf(received: string): string {
  return [...received.matchAll(/\/kite\/(\w+) /g)].at(-1)?.[1] ?? "";
}

function head(method: string, path: string, ...lines: string[]): string {
  return [`${method} ${path} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n");
}

Deno.test("ReverseProxy: requests that come together are answered in turn, on one connection", async () => {
  await using proxy = await startReverseProxy();
  await using it = await behind(proxy, (received) => {
    return received.endsWith("\r\n\r\n") || received.endsWith("hello")
      ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
      : undefined;
  });
  const text = head("GET", `${it.path}/1`) +
    head("POST", `${it.path}/2`, "Content-Length: 5") + "hello" +
    head("GET", `${it.path}/3`, "Connection: close");
  const answer = await exchange(proxy.port, text);
  assertEquals(answer.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
  assertEquals(it.received.length, 1, "one connection to the kite");
  assertMatch(it.received[0]!, /GET \/kite\/1 [^]*POST \/kite\/2 [^]*hello[^]*GET \/kite\/3 /);
});

Deno.test("ReverseProxy: answers of each framing pass, and an HTTP/1.0 client gets no chunks", async () => {
  await using proxy = await startReverseProxy();
  const bodies: Record<string, string> = {
    length: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    chunked: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    close: "HTTP/1.1 200 OK\r\n\r\nhello",
    early:
      "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    nothing: "HTTP/1.1 204 No Content\r\n\r\n",
    unchanged: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
  };
  await using it = await behind(proxy, (received) => {
    return bodies[lastOf(received)];
  });
  for (const name of ["length", "chunked", "close", "early"]) {
    const response = await fetch(`http://127.0.0.1:${proxy.port}${it.path}/${name}`);
    assertEquals([response.status, await response.text()], [200, "hello"], name);
    const old = await exchange(proxy.port, `GET ${it.path}/${name} HTTP/1.0\r\nHost: a\r\n\r\n`);
    assertMatch(old, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nhello$/, name);
    assertEquals(/transfer-encoding/i.test(old), false, name);
  }
  for (const [name, status] of [["nothing", 204], ["unchanged", 304]] as const) {
    const answer = await exchange(
      proxy.port,
      head("GET", `${it.path}/${name}`, "Connection: close"),
    );
    assertEquals(statusOf(answer), status);
    assertMatch(answer, /\r\n\r\n$/);
  }
  const answer = await exchange(proxy.port, head("HEAD", `${it.path}/length`, "Connection: close"));
  assertMatch(answer, /Content-Length: 5\r\n[^]*\r\n\r\n$/);
});

Deno.test("ReverseProxy: a kite that sends no HTTP, or a broken answer, is a 502 or ends the answer", async () => {
  await using proxy = await startReverseProxy();
  const broken: Record<string, string> = {
    ssh: "SSH-2.0-OpenSSH_9.6\r\n\r\n",
    lengths: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    both: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
    upgraded: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    long: `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}\r\nContent-Length: 0\r\n\r\n`,
    bare: "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    chunk: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
  };
  const cut: Record<string, string> = {
    chunks: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloXX\r\n",
    trailer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" +
      "0\r\nContent-Length: 5\r\n\r\n",
    short: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 100\r\n\r\nhello",
  };
  await using it = await behind(proxy, (received) => {
    const name = lastOf(received);
    return { ...broken, ...cut }[name];
  });
  for (const name of Object.keys(broken)) {
    const answer = await exchange(proxy.port, head("GET", `${it.path}/${name}`));
    assertEquals(statusOf(answer), 502, name);
  }
  for (const name of Object.keys(cut)) {
    // The rest is missing, so the client notices, and nothing else takes its place.
    const answer = await exchange(proxy.port, head("GET", `${it.path}/${name}`));
    assertMatch(answer, /^HTTP\/1\.1 200 OK\r\n[^]*hello(\r\n)?$/, name);
  }
  await eventually(() => proxy.load.exchanges === 0);
});

Deno.test("ReverseProxy: a client that expects 100 is told to continue", async () => {
  await using proxy = await startReverseProxy();
  await using it = await behind(proxy, (received) => {
    return received.endsWith("hello") ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" : undefined;
  });
  const lines = ["Content-Length: 5", "Expect: 100-continue", "Connection: close"];
  const answer = await exchange(proxy.port, head("POST", `${it.path}/x`, ...lines) + "hello");
  assertMatch(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  const other = await exchange(proxy.port, head("POST", `${it.path}/x`, "Expect: nonsense"));
  assertEquals(statusOf(other), 417);
});

Deno.test("ReverseProxy: a client that leaves before the answer ends the request to the kite", async () => {
  await using proxy = await startReverseProxy();
  await using it = await behind(proxy, () => undefined);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: proxy.port });
  await connection.write(new TextEncoder().encode(head("GET", `${it.path}/wait`)));
  await eventually(() => proxy.load.exchanges === 1);
  connection.close();
  await eventually(() => proxy.load.exchanges === 0);
  await eventually(() => proxy.load.connections === 1, { what: "the kite's connection alone" });
});

Deno.test("ReverseProxy: a silent kite is a 504, for a request and for a handshake, and a silent WebSocket ends", async () => {
  // The kite is registered over a WebSocket that is silent too, so the requests must come before.
  const limits = { idleTimeout: 1_500, connectTimeout: 1_500 };
  await using proxy = await startReverseProxy({ limits });
  const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade\r\nContent-Length: 0\r\n\r\n";
  await using it = await behind(proxy, (received) => {
    return lastOf(received) === "joined" ? accepted : undefined;
  });
  const handshake = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"];
  const ask = (name: string, ...lines: string[]) =>
    exchange(proxy.port, head("GET", `${it.path}/${name}`, ...lines));
  const [plain, refused, joined] = await Promise.all([
    ask("wait"),
    ask("wait", ...handshake),
    ask("joined", ...handshake),
  ]);
  assertMatch(plain, /^HTTP\/1\.1 504 [^]*The kite did not answer in time/);
  assertMatch(refused, /^HTTP\/1\.1 504 [^]*The kite did not answer the handshake in time/);
  // Ended without a further word.
  assertMatch(joined, /^HTTP\/1\.1 101 [^]*\r\n\r\n$/);
  await eventually(() => proxy.load.exchanges === 0);
});
