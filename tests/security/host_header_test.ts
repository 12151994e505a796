import { assertEquals, assertMatch } from "@std/assert";
import { RawConnection } from "../transport/sockjs/server/support.ts";
import { keepingLogger, targetKite } from "./kites.ts";

Deno.test("Host: only the request line chooses the route, and what is no host gets 400", async () => {
  const logger = keepingLogger();
  const kite = targetKite({ logger }).handleHttp("/secret", () => new Response("secret"));
  await using server = await kite.listen();
  const hosts = [
    "x/secret?",
    "x/secret#",
    "x\\secret?",
    "[",
    "a b",
    "[::1",
    "u@x",
    "x:y",
    "x:99999",
    "",
    "1.2.3.4.5",
  ];
  for (const host of hosts) {
    using connection = await RawConnection.open(server.port);
    await connection.write(`GET /kite/info HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    const answer = await connection.read();
    assertMatch(answer, /^HTTP\/1.1 400 /, host);
    assertEquals(answer.includes("secret"), false, host);
  }
  for (const host of ["x", "x.example:80", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b-c"]) {
    using connection = await RawConnection.open(server.port);
    await connection.write(`GET /kite/info HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    assertMatch(await connection.read(), /^HTTP\/1.1 200 /, host);
  }
  assertEquals(logger.lines, []);
});
