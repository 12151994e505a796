import { assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import { post, RawConnection, TestServer, TestSocket } from "../transport/sockjs/server/support.ts";

/** Opens sessions by pipelined polls on one connection, as a flood would. */
async function flood(server: TestServer, transport: string, count: number): Promise<void> {
  using connection = await RawConnection.open(server.port);
  const { pathname } = new URL(server.session());
  const method = transport === "jsonp" ? "GET" : "POST";
  const query = transport === "jsonp" ? "?c=f" : "";
  for (let i = 0; i < count; i++) {
    const last = i === count - 1;
    await connection.write(
      `${method} ${pathname}${i}/${transport}${query} HTTP/1.1\r\nHost: x\r\n` +
        `${last ? "Connection: close\r\n" : ""}Content-Length: 0\r\n\r\n`,
    );
  }
  await eventually(() => server.sessions.length >= count);
}

for (const transport of ["xhr", "jsonp"]) {
  for (const limits of [{ sessions: 20 }, { sessionsPerAddress: 20 }]) {
    const [limit] = Object.keys(limits);
    Deno.test(`${limit}: sessions that were polled once are replaced by others (${transport})`, async () => {
      await using server = new TestServer({ limits });
      await flood(server, transport, 50);
      assertEquals(server.sockjs.sessionCount, 20);
      const socket = await TestSocket.open(`${server.session()}/websocket`);
      assertEquals(await socket.next(), "o");
      const url = server.session();
      assertEquals((await post(`${url}/xhr`)).text, "o\n");
      assertEquals((await post(`${url}/xhr_send`, '["x"]')).status, 204);
      await flood(server, transport, 50);
      assertEquals((await post(`${url}/xhr`)).text, 'a["x"]\n', "who has spoken stays for a while");
      assertEquals(server.sockjs.sessionCount, 20);
      await socket.close();
    });
  }
}

Deno.test("sessionsPerAddress: WebSockets of one address are refused, those of another are not", async () => {
  await using server = new TestServer({ limits: { sessionsPerAddress: 2 } });
  const path = new URL(server.session()).pathname.replace("/echo", "");
  const ask = (address: string, index: number) =>
    server.sockjs.fetch(
      new Request(`http://x/echo${path}${index}/xhr`, { method: "POST" }),
      { remoteAddress: address },
    );
  const statuses: number[] = [];
  for (const address of ["192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "192.0.2.2:1"]) {
    const index = statuses.length;
    await (await ask(address, index)).text();
    // A second poll waits: its session is not replaced.
    const poll = await ask(address, index);
    statuses.push(poll.status);
  }
  assertEquals(statuses, [200, 200, 503, 200]);
});
