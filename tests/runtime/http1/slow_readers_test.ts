import { assert } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { within } from "../../transport/support.ts";
import { start } from "./support.ts";

const ENCODER = new TextEncoder();
const SIZE = 16_777_216;
const IDLE_TIMEOUT = 50;

/** Answers with 16 MiB, or at `/endless` with a body that never ends. */
async function startServer(idleTimeout = IDLE_TIMEOUT) {
  let cancelled = 0;
  const server = await start((request) => {
    if (!request.url.endsWith("/endless")) return new Response(new Uint8Array(SIZE));
    return new Response(
      new ReadableStream<Uint8Array>({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => void cancelled++,
      }),
    );
  }, { idleTimeout });
  return { server, cancelled: () => cancelled };
}

async function ask(port: number, path: string, headers = ""): Promise<Deno.TcpConn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(ENCODER.encode(`GET ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`));
  return connection;
}

/** Counts the bytes up to the end of the connection. */
async function drain(connection: Deno.TcpConn, pause = 0): Promise<number> {
  const buffer = new Uint8Array(1_048_576);
  let bytes = 0;
  for (;;) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return bytes;
    bytes += count;
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

for (const [path, headers] of [["/", ""], ["/", "Connection: close\r\n"], ["/endless", ""]]) {
  const what = headers === "" ? path : `${path}, the last one`;
  Deno.test(`idleTimeout: a client that reads nothing of a response is disconnected: ${what}`, async () => {
    const { server, cancelled } = await startServer();
    using connection = await ask(server.port, path!, headers);
    if (path === "/endless") await eventually(() => cancelled() === 1);
    else await new Promise((resolve) => setTimeout(resolve, 20 * IDLE_TIMEOUT));
    assert(await within(drain(connection), "the end of the connection") < SIZE);
    await server.close();
  });
}

Deno.test("idleTimeout: a client that reads slowly receives its response", async () => {
  const { server } = await startServer();
  using connection = await ask(server.port, "/", "Connection: close\r\n");
  const bytes = await within(drain(connection, IDLE_TIMEOUT), "the response");
  assert(bytes > SIZE, `${bytes} bytes`);
  await server.close();
});

Deno.test("idleTimeout: a client that reads slowly keeps a connection that it can use again", async () => {
  const { server } = await startServer(500);
  using connection = await ask(server.port, "/");
  const buffer = new Uint8Array(1_048_576);
  for (let bytes = 0; bytes < SIZE;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    bytes += await within(connection.read(buffer), "the next bytes") ?? SIZE;
  }
  await connection.write(ENCODER.encode("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"));
  assert(await within(drain(connection), "the second response") > SIZE);
  await server.close();
});
