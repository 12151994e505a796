import { assert, assertEquals, assertMatch } from "@std/assert";
import { eventually } from "../../support/eventually.ts";
import { within } from "../../transport/support.ts";
import { exchange, readAll, start } from "./support.ts";

const ENCODER = new TextEncoder();
const GET = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const END = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
const LAST = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

for (const floods of [1, 64]) {
  Deno.test(`HttpConnection: requests that arrive together leave others their turn (${floods} connections)`, async () => {
    let count = 0;
    let sentAt = 0;
    let before = 0;
    const server = await start(async ({ url }) => {
      if (url.endsWith("/last")) before = count - sentAt;
      else if (count++ === floods * 10) {
        sentAt = count;
        await other.write(ENCODER.encode(LAST));
      }
      return new Response();
    });
    const other = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const flood = GET.repeat(500) + END;
    const flooding = Array.from({ length: floods }, () => exchange(server.port, flood));
    assertMatch(await within(readAll(other), "the answer"), /^HTTP\/1.1 200 /);
    assert(before < 1_000, `${before} requests were handled before`);
    other.close();
    await Promise.all(flooding);
    assertEquals(count, 501 * floods);
    await server.close();
  });
}

Deno.test("HttpConnection: a client that sends requests and does not read has to wait", async () => {
  let count = 0;
  const text = "y".repeat(1_000_000);
  const server = await start(() => {
    count++;
    return new Response(text);
  });
  const total = 100;
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(ENCODER.encode(GET.repeat(total) + LAST));
  let former = -1;
  await eventually(async () => {
    const isStill = count === former && count > 0;
    former = count;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return isStill && count === former;
  });
  // The sockets' own buffers take some megabytes.
  assert(count < 32, `${count} requests were answered`);
  const answers = await readAll(connection);
  assertEquals(answers.split("HTTP/1.1 200 OK").length - 1, total + 1);
  await server.close();
});

Deno.test("HttpConnection: many small chunks are read as one part", async () => {
  let parts = 0;
  const server = await start(async ({ body }) => {
    for await (const _ of body!) parts++;
    return new Response();
  });
  const head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n";
  const chunks = "1\r\na\r\n".repeat(5_000);
  assertMatch(await exchange(server.port, `${head}\r\n${chunks}0\r\n\r\n`), /^HTTP\/1.1 200 /);
  assert(parts < 100, `${parts} parts`);
  await server.close();
});

Deno.test("HttpConnection: tells clients of HTTP/1.0 that the connection is kept", async () => {
  const server = await start(() => new Response("a"));
  const old = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  const answers = await exchange(server.port, `${old}GET / HTTP/1.0\r\n\r\n`);
  assertMatch(answers, /connection: keep-alive\r\n[^]*connection: close\r\n/);
  await server.close();
});

Deno.test("HttpConnection: cuts the answer to a client that has left", async () => {
  const server = await start(() => {
    const start = (controller: ReadableStreamDefaultController) => {
      controller.enqueue(ENCODER.encode("part")); // and nothing more
    };
    return new Response(new ReadableStream({ start }));
  });
  const answer = await exchange(server.port, GET, true);
  assertEquals(answer.endsWith("\r\n0\r\n\r\n"), false);
  await server.close();
});

Deno.test("HttpConnection: reports a body that is not of bytes, and closes the connection", async () => {
  const errors: unknown[] = [];
  const server = await start(() => {
    return new Response(
      new ReadableStream({
        start: (controller) => {
          controller.enqueue(5 as unknown as Uint8Array);
          controller.close();
        },
      }),
    );
  }, { onError: (error) => void errors.push(error) });
  assertEquals(await exchange(server.port, GET), "");
  assert(errors[0] instanceof TypeError);
  await server.close();
});
