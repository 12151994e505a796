import { assertEquals } from "@std/assert";
import { ForwardingServer } from "../../../src/runtime/forwarding/server.ts";
import { eventually } from "../../support/eventually.ts";

const ANSWER = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
const REQUEST = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const LIMITS = {
  connections: 100,
  headerBytes: 16_384,
  headersTimeout: 5_000,
  requestTimeout: 5_000,
  idleTimeout: 5_000,
  connectTimeout: 5_000,
};

/** A server that answers whatever comes. */
function answering() {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Deno.Conn>();
  const serve = async (connection: Deno.Conn): Promise<void> => {
    const buffer = new Uint8Array(4_096);
    try {
      while (await connection.read(buffer) !== null) await connection.write(ANSWER);
    } catch {
      // The other side has left.
    }
    open.delete(connection);
    connection.close();
  };
  const accepting = (async () => {
    for await (const connection of listener) {
      open.add(connection);
      void serve(connection);
    }
  })();
  return {
    port: listener.addr.port,
    open,
    async [Symbol.asyncDispose]() {
      listener.close();
      await accepting;
    },
  };
}

Deno.test("ForwardingServer: clients and servers that end at any moment leave no connection", async () => {
  await using behind = answering();
  const upstream = { hostname: "127.0.0.1", port: behind.port, secure: false, publicOnly: false };
  const one = async (): Promise<void> => {
    for (let round = 0; round < 100; round++) {
      const server = await ForwardingServer.listen({
        hostname: "127.0.0.1",
        port: 0,
        ca: [],
        limits: LIMITS,
        decide: ({ target }) => ({ kind: "forward", upstream, target, headers: ["Host", "x"] }),
        answerHeaders: () => [],
        onError: () => {},
      });
      const client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await client.write(new TextEncoder().encode(REQUEST.repeat(1 + round % 3)));
      if (round % 2 === 0) await client.read(new Uint8Array(4_096));
      if (round % 5 !== 0) await new Promise((resolve) => setTimeout(resolve, Math.random() * 4));
      if (round % 7 !== 0) client.close();
      await server.close(0);
      assertEquals(server.connections, 0);
      if (round % 7 === 0) client.close();
    }
  };
  await Promise.all(Array.from({ length: 20 }, one));
  await eventually(() => behind.open.size === 0);
});

Deno.test("ForwardingServer.close: a running request may end, and idle connections do not wait", async () => {
  await using behind = answering();
  const upstream = { hostname: "127.0.0.1", port: behind.port, secure: false, publicOnly: false };
  const release = Promise.withResolvers<void>();
  const running = Promise.withResolvers<void>();
  const server = await ForwardingServer.listen({
    hostname: "127.0.0.1",
    port: 0,
    ca: [],
    limits: LIMITS,
    decide: async ({ target }) => {
      running.resolve();
      await release.promise;
      return { kind: "forward", upstream, target, headers: ["Host", "x"] };
    },
    answerHeaders: () => [],
    onError: () => {},
  });
  const connect = () => Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const busy = await connect();
  using idle = await connect();
  await busy.write(new TextEncoder().encode(REQUEST));
  await running.promise;
  await eventually(() => server.connections === 2);
  const closed = server.close(600_000);
  assertEquals(await idle.read(new Uint8Array(10)), null);
  release.resolve();
  const buffer = new Uint8Array(4_096);
  const length = await busy.read(buffer);
  assertEquals(
    new TextDecoder().decode(buffer.subarray(0, length ?? 0)).slice(0, 15),
    "HTTP/1.1 200 OK",
  );
  assertEquals(await busy.read(buffer), null);
  busy.close();
  await closed;
});
