import { assertEquals, assertMatch } from "@std/assert";
import { closeAtOnce, RawConnection, TestServer } from "./support.ts";

const CLOSED_STREAM = "h".repeat(2048) + '\no\nc[3000,"Go away!"]\n';

/** The header of a response, in lower case, and the length it names. */
async function head(connection: RawConnection): Promise<{ text: string; length: number }> {
  const text = (await connection.read("\r\n\r\n")).toLowerCase();
  return { text, length: Number(/\r\ncontent-length: (\d+)\r\n/.exec(text)?.[1] ?? NaN) };
}

Deno.test("HTTP/1.0: a page has a content-length, and the connection can be kept open", async () => {
  await using server = new TestServer();
  using connection = await RawConnection.open(server.port);
  for (let i = 0; i < 2; i++) {
    await connection.write("GET /echo HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n");
    const { text, length } = await head(connection);
    assertMatch(text, /^http\/1\.[01] 200 /);
    assertEquals(text.includes("transfer-encoding"), false);
    assertEquals(length, 19);
    assertEquals(await connection.read("SockJS!\n"), "Welcome to SockJS!\n");
  }
});

Deno.test("HTTP/1.0: a stream ends with its connection", async () => {
  await using server = new TestServer({ onSession: closeAtOnce });
  using connection = await RawConnection.open(server.port);
  await connection.write(
    "POST /echo/000/a/xhr_streaming HTTP/1.0\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
  );
  const { text } = await head(connection);
  assertMatch(text, /^http\/1\.[01] 200 /);
  assertEquals(text.includes("transfer-encoding"), false);
  assertEquals(text.includes("content-length"), false);
  assertEquals(await connection.read(), CLOSED_STREAM);
});

Deno.test("HTTP/1.1: a page has a content-length, and the connection is kept open", async () => {
  await using server = new TestServer();
  using connection = await RawConnection.open(server.port);
  for (let i = 0; i < 2; i++) {
    await connection.write("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n");
    const { text, length } = await head(connection);
    assertMatch(text, /^http\/1.1 200 /);
    assertEquals(text.includes("connection: close"), false);
    assertEquals(length, 19);
    await connection.read("SockJS!\n");
  }
});

Deno.test("HTTP/1.1: a stream is chunked, and the connection is kept open", async () => {
  await using server = new TestServer({ onSession: closeAtOnce });
  using connection = await RawConnection.open(server.port);
  const request = "POST /echo/000/a/xhr_streaming HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
  await connection.write(request);
  const { text } = await head(connection);
  assertMatch(text, /\r\ntransfer-encoding: chunked\r\n/);
  assertEquals(text.includes("content-length"), false);
  assertEquals(unchunked(await connection.read("\r\n0\r\n\r\n")), CLOSED_STREAM);
  await connection.write(request);
  assertMatch((await head(connection)).text, /^http\/1.1 200 /);
});

Deno.test("HTTP: a POST without a body length opens a session", async () => {
  await using server = new TestServer();
  using connection = await RawConnection.open(server.port);
  await connection.write("POST /echo/000/a/xhr HTTP/1.1\r\nHost: a\r\n\r\n");
  assertMatch((await head(connection)).text, /^http\/1.1 200 /);
  assertEquals(await connection.read("o\n"), "o\n");
});

function unchunked(text: string): string {
  let body = "";
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("\r\n", at);
    const length = parseInt(text.slice(at, end), 16);
    body += text.slice(end + 2, end + 2 + length);
    at = end + 2 + length + 2;
  }
  return body;
}
