import { assertEquals, assertMatch } from "@std/assert";
import { ConnStream } from "../../../src/runtime/deno/conn_stream.ts";
import { DenoServer } from "../../../src/runtime/deno/server.ts";
import { within } from "../../transport/support.ts";
import { readAll } from "../http1/support.ts";

/** A listener of which the first connections are reset before they are accepted. */
function losing(listener: Deno.TcpListener, count: number): Deno.TcpListener {
  let left = count;
  return {
    addr: listener.addr,
    accept: () => {
      if (left-- <= 0) return listener.accept();
      const lost = new Deno.errors.NotConnected("Transport endpoint is not connected");
      return Promise.reject(Object.assign(lost, { code: "ENOTCONN" }));
    },
    close: () => listener.close(),
  } as unknown as Deno.TcpListener;
}

Deno.test("DenoServer: a connection that is reset before it is accepted costs others nothing", async () => {
  const errors: unknown[] = [];
  const listener = losing(Deno.listen({ hostname: "127.0.0.1", port: 0 }), 1_000);
  const server = new DenoServer(listener, undefined, () => new Response("hello"), {
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 10_000,
    connections: 100,
    webSocketBytes: 1_000,
    onError: (error) => void errors.push(error),
  });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const request = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  await connection.write(new TextEncoder().encode(request));
  assertMatch(await within(readAll(connection), "the answer"), /hello$/);
  assertEquals(errors, []);
  await server.close();
});

Deno.test("ConnStream: a peer that never stops sending leaves others their turn", async () => {
  let isClosed = false;
  const endless = {
    remoteAddr: { hostname: "127.0.0.1", port: 1 },
    setNoDelay: () => {},
    // Deno's connections return at once what has already arrived.
    read: (buffer: Uint8Array) => Promise.resolve(isClosed ? null : buffer.length),
    close: () => void (isClosed = true),
  } as unknown as Deno.TcpConn;
  const stream = new ConnStream(endless, () => {});
  const ended = Promise.withResolvers<void>();
  let reads = 0;
  stream.handler = {
    onData: () => {
      if (++reads > 1_000_000) stream.destroy(); // or the test would never end
    },
    onEnd: ended.resolve,
  };
  stream.start();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(isClosed, false);
  stream.destroy();
  await ended.promise;
});
