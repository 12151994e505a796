import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import type { ServeHandler } from "../../src/runtime/serving.ts";
import { eventually } from "../support/eventually.ts";
import { exchange, readAll, start } from "./http1/support.ts";
import { within } from "../transport/support.ts";

const ENCODER = new TextEncoder();

/** Answers with the method, the path with its query, and the body. */
const describe: ServeHandler = async (request) => {
  const { pathname, search } = new URL(request.url);
  return new Response(`${request.method} ${pathname}${search} [${await request.text()}]\n`);
};

const CLOSE = "Host: x\r\nConnection: close\r\n";

const REFUSED: Record<string, [request: string, status: number]> = {
  "no HTTP": ["hello\r\n\r\n", 400],
  "HTTP/2 with prior knowledge": ["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505],
  "a missing Host": ["GET / HTTP/1.1\r\n\r\n", 400],
  "two Hosts": ["GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400],
  "CONNECT": ["CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501],
  "a method in lower case": [`get / HTTP/1.1\r\n${CLOSE}\r\n`, 501],
  "a blank before the colon": [`GET / HTTP/1.1\r\n${CLOSE}X : y\r\n\r\n`, 400],
  "a folded header": [`GET / HTTP/1.1\r\n${CLOSE}X: y\r\n z\r\n\r\n`, 400],
  "a header without a name": [`GET / HTTP/1.1\r\n${CLOSE}: y\r\n\r\n`, 400],
  "a line feed alone": [`GET / HTTP/1.1\r\n${CLOSE}X: y\nZ: z\r\n\r\n`, 400],
  "a line feed before a value": [
    `POST / HTTP/1.1\r\n${CLOSE}Transfer-Encoding:\nchunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  "a line feed after a value": [`POST / HTTP/1.1\r\n${CLOSE}Content-Length: 1\n\r\n\r\nx`, 400],
  "a vertical tab before a value": [
    `POST / HTTP/1.1\r\n${CLOSE}Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  "a user in the target": [`GET http://a@x/ HTTP/1.1\r\n${CLOSE}\r\n`, 400],
  "a NUL in a header": [`GET / HTTP/1.1\r\n${CLOSE}X: \0\r\n\r\n`, 400],
  "a blank in the target": [`GET /a b HTTP/1.1\r\n${CLOSE}\r\n`, 400],
  "a fragment in the target": [`GET /a#b HTTP/1.1\r\n${CLOSE}\r\n`, 400],
  "an asterisk": [`OPTIONS * HTTP/1.1\r\n${CLOSE}\r\n`, 400],
  "two lengths": [
    `POST / HTTP/1.1\r\n${CLOSE}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`,
    400,
  ],
  "a negative length": [`POST / HTTP/1.1\r\n${CLOSE}Content-Length: -1\r\n\r\n`, 400],
  "a length with a sign": [`POST / HTTP/1.1\r\n${CLOSE}Content-Length: +1\r\n\r\nx`, 400],
  "a length and chunks": [
    `POST / HTTP/1.1\r\n${CLOSE}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  "chunks in HTTP/1.0": ["POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  "another encoding": [`POST / HTTP/1.1\r\n${CLOSE}Transfer-Encoding: gzip, chunked\r\n\r\n`, 501],
  "an unknown expectation": [`GET / HTTP/1.1\r\n${CLOSE}Expect: gold\r\n\r\n`, 417],
  "a head that is too long": [`GET / HTTP/1.1\r\n${CLOSE}X: ${"y".repeat(40_000)}\r\n\r\n`, 431],
  "a head without an end": [`GET / HTTP/1.1\r\n${CLOSE}X: ${"y".repeat(40_000)}`, 431],
};

Deno.test("HttpConnection: refuses malformed and ambiguous requests", async (t) => {
  const handled: string[] = [];
  const server = await start((request) => {
    handled.push(request.url);
    return new Response();
  });
  for (const [name, [request, status]] of Object.entries(REFUSED)) {
    await t.step(name, async () => {
      assertMatch(await exchange(server.port, request), new RegExp(`^HTTP/1.1 ${status} `));
    });
  }
  assertEquals(handled, []);
  await server.close();
});

Deno.test("HttpConnection: refuses paths that a URL would rewrite", async () => {
  const server = await start(describe);
  const refused = [
    "/a/../b",
    "/a/..",
    "/./a",
    "/a/.",
    "/a/%2e%2e/b",
    "/a/%2E./b",
    "/%2e",
    "/..\\b",
    "/a\\b",
  ];
  for (const path of refused) {
    const answer = await exchange(server.port, `GET ${path} HTTP/1.1\r\n${CLOSE}\r\n`);
    assertMatch(answer, /^HTTP\/1.1 400 /, path);
  }
  for (const path of ["/a..b", "/...", "/a/.b", "//a//", "/a?x=/../y", "/%2E%2Ea"]) {
    const answer = await exchange(server.port, `GET ${path} HTTP/1.1\r\n${CLOSE}\r\n`);
    assert(answer.endsWith(`\r\n\r\nGET ${path} []\n`), answer);
  }
  const absolute = await exchange(server.port, `GET http://x/a?b HTTP/1.1\r\n${CLOSE}\r\n`);
  assert(absolute.endsWith("GET /a?b []\n"), absolute);
  await server.close();
});

Deno.test("HttpConnection: reads a body of any chunks, however they are split", async () => {
  const server = await start(describe);
  const parts = fc.array(fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 40 }), {
    maxLength: 5,
  });
  const property = fc.asyncProperty(parts, fc.boolean(), fc.nat(60), async (texts, trailer, at) => {
    const chunks = texts.map((text) => `${text.length.toString(16)};x=y\r\n${text}\r\n`).join("");
    const request = `POST /p HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n${chunks}0\r\n` +
      `${trailer ? "X: y\r\n" : ""}\r\n`;
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    connection.setNoDelay(true);
    await connection.write(ENCODER.encode(request.slice(0, at + 1)));
    for (const character of request.slice(at + 1)) {
      await connection.write(ENCODER.encode(character));
    }
    const answer = await within(readAll(connection), "the answer");
    assert(answer.endsWith(`POST /p [${texts.join("")}]\n`), answer);
  });
  await fc.assert(property, { numRuns: 40 });
  await server.close();
});

Deno.test("HttpConnection: a malformed chunk fails the body and closes the connection", async () => {
  const failures: unknown[] = [];
  const server = await start(async (request) => {
    await request.text().catch((error) => failures.push(error));
    return new Response("read");
  });
  const chunks = [
    "x\r\n",
    "5\r\nabcdefg\r\n",
    "-1\r\n",
    "ffffffffffffff\r\n",
    "1\nx",
    `1;${"a".repeat(5_000)}`,
    "0\r\nGET / HTTP/1.1\r\n\r\n",
    "0\r\nX: y\rz\r\n\r\n",
    "0\r\nContent-Length: 1\r\n\r\n",
  ];
  for (const chunk of chunks) {
    const head = `POST / HTTP/1.1\r\n${CLOSE}Transfer-Encoding: chunked\r\n\r\n`;
    assertEquals(await exchange(server.port, head + chunk), "", chunk.slice(0, 20));
  }
  await eventually(() => failures.length === chunks.length);
  await server.close();
});

Deno.test("HttpConnection: answers requests that were sent at once in order", async () => {
  const server = await start(async (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/0") await new Promise((resolve) => setTimeout(resolve, 30));
    return new Response(`<${pathname}>`);
  });
  const requests = Array.from({ length: 300 }, (_, i) => {
    return `GET /${i} HTTP/1.1\r\nHost: x\r\nX: ${"y".repeat(300)}\r\n\r\n`;
  });
  const answer = await exchange(
    server.port,
    requests.join("") + `GET /last HTTP/1.1\r\n${CLOSE}\r\n`,
  );
  const bodies = [...answer.matchAll(/<\/(\w+)>/g)].map(([, name]) => name);
  assertEquals(bodies, [...requests.keys()].map(String).concat("last"));
  await server.close();
});

Deno.test("HttpConnection: answers HTTP/1.0, HEAD, and clients that end their side", async () => {
  const server = await start(({ url }) => {
    return new Response(url.endsWith("/none") ? null : "body", {
      status: url.endsWith("/none") ? 204 : 200,
    });
  });
  const old = await exchange(server.port, "GET / HTTP/1.0\r\n\r\n");
  assertMatch(old, /^HTTP\/1.1 200 OK\r\n[^]*content-length: 4\r\n[^]*\r\n\r\nbody$/);
  assertMatch(await exchange(server.port, `HEAD / HTTP/1.1\r\n${CLOSE}\r\n`), /\r\n\r\n$/);
  const none = await exchange(server.port, `GET /none HTTP/1.1\r\n${CLOSE}\r\n`);
  assertMatch(none, /^HTTP\/1.1 204 No Content\r\n/);
  assertEquals(/content-length|transfer-encoding/.test(none), false);
  const ended = await exchange(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", true);
  assertMatch(ended, /\r\n\r\nbody$/);
  await server.close();
});

Deno.test("HttpConnection: sends status 100 when the body is read", async () => {
  const server = await start(async (request) => {
    if (request.url.endsWith("/no")) return new Response("no", { status: 403 });
    return new Response(await request.text());
  });
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\n${CLOSE}Content-Length: 2\r\nExpect: 100-continue\r\n\r\n`;
  {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await connection.write(ENCODER.encode(head("/yes")));
    const buffer = new Uint8Array(100);
    const count = await within(connection.read(buffer), "status 100");
    assertMatch(new TextDecoder().decode(buffer.subarray(0, count!)), /^HTTP\/1.1 100 /);
    await connection.write(ENCODER.encode("hi"));
    assertMatch(await readAll(connection), /\r\n\r\nhi$/);
  }
  const refused = await exchange(server.port, head("/no"));
  assertMatch(refused, /^HTTP\/1.1 403 [^]*\r\n\r\nno$/);
  await server.close();
});

Deno.test("HttpConnection: a client receives the answer although its body is not read", async () => {
  const server = await start(() => new Response("too long", { status: 413 }));
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n";
  await connection.write(ENCODER.encode(head + "x".repeat(60_000)));
  const answer = await within(readAll(connection), "the answer");
  assertMatch(answer, /^HTTP\/1.1 413 [^]*connection: close[^]*too long$/);
  await server.close();
});

Deno.test("HttpConnection: a client that does not read holds the producer of the body", async () => {
  const part = new Uint8Array(65_536);
  let produced = 0;
  let isCancelled = false;
  const gone = Promise.withResolvers<void>();
  const server = await start((_, peer) => {
    peer.onGone?.(() => gone.resolve());
    return new Response(
      new ReadableStream({
        pull: (controller) => {
          produced += part.length;
          controller.enqueue(part);
        },
        cancel: () => void (isCancelled = true),
      }),
    );
  });
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  await connection.write(ENCODER.encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  let before = -1;
  await eventually(async () => {
    const isStill = produced === before && produced > 0;
    before = produced;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return isStill && produced === before;
  });
  // The sockets' own buffers take some megabytes.
  assert(produced < 32_000_000, `${produced} bytes were produced`);
  connection.close();
  await within(gone.promise, "the listener");
  await eventually(() => isCancelled);
  await server.close();
});

Deno.test("HttpConnection: streams arrive in pieces, and chunks are not used in HTTP/1.0", async () => {
  const server = await start(() => {
    let count = 0;
    return new Response(
      new ReadableStream<Uint8Array>({
        async pull(controller) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (++count > 3) controller.close();
          else controller.enqueue(ENCODER.encode(`part ${count};`));
        },
      }),
    );
  });
  const answer = await exchange(server.port, `GET / HTTP/1.1\r\n${CLOSE}\r\n`);
  assertMatch(
    answer,
    /transfer-encoding: chunked[^]*7\r\npart 1;\r\n7\r\npart 2;\r\n7\r\npart 3;\r\n0\r\n\r\n$/,
  );
  const old = await exchange(server.port, "GET / HTTP/1.0\r\n\r\n");
  assertMatch(old, /\r\n\r\npart 1;part 2;part 3;$/);
  await server.close();
});

Deno.test("HttpConnection: sends the head with the first bytes, unless buffering is off", async () => {
  const gate = Promise.withResolvers<void>();
  const server = await start((request) => {
    const headers = new Headers();
    if (request.url.endsWith("/now")) headers.set("x-accel-buffering", "no");
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await gate.promise;
        controller.enqueue(ENCODER.encode("body"));
        controller.close();
      },
    });
    return new Response(body, { headers });
  });
  const ask = async (path: string): Promise<string> => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    await connection.write(ENCODER.encode(`GET ${path} HTTP/1.1\r\n${CLOSE}\r\n`));
    const buffer = new Uint8Array(1_000);
    const count = await within(connection.read(buffer), "the first bytes");
    return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  };
  const late = ask("/late");
  assertMatch(await ask("/now"), /transfer-encoding: chunked\r\n[^]*\r\n\r\n$/);
  gate.resolve();
  assertMatch(await late, /content-length: 4\r\n[^]*\r\n\r\nbody$/);
  await server.close();
});

Deno.test("HttpConnection: survives any bytes, and keeps serving", async () => {
  const server = await start(async (request) => {
    await request.text().catch(() => {});
    return new Response("hello");
  });
  const pieces = fc.constantFrom(
    "GET / HTTP/1.1",
    "POST /x HTTP/1.1",
    "\r\n",
    "\n",
    "Host: x",
    "Content-Length: 3",
    "Transfer-Encoding: chunked",
    "Upgrade: websocket",
    "Connection: keep-alive",
    "3\r\nabc\r\n",
    "0\r\n\r\n",
    ":",
    " ",
  );
  const bytes = fc.uint8Array({ maxLength: 20 }).map((array) => String.fromCharCode(...array));
  const texts = fc.array(fc.oneof({ weight: 5, arbitrary: pieces }, bytes), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(texts, async (parts) => {
      const text = parts.join("");
      using connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await connection.write(Uint8Array.from(text, (character) => character.charCodeAt(0)));
      await connection.closeWrite();
      await within(readAll(connection), "the end of the connection");
    }),
    { numRuns: 300 },
  );
  assertMatch(await exchange(server.port, `GET / HTTP/1.1\r\n${CLOSE}\r\n`), /hello$/);
  await server.close();
});

Deno.test("HttpConnection: answers 500 to a response that cannot be sent, and reports it", async () => {
  const errors: unknown[] = [];
  const same = new Response("once");
  const responses: Record<string, () => Response> = {
    "/same": () => same,
    "/error": () => Response.error(),
    "/nothing": () => undefined as unknown as Response,
    "/text": () => "hello" as unknown as Response,
  };
  const server = await start(({ url }) => responses[new URL(url).pathname]!(), {
    onError: (error) => void errors.push(error),
  });
  const ask = (path: string) => exchange(server.port, `GET ${path} HTTP/1.1\r\n${CLOSE}\r\n`);
  assertMatch(await ask("/same"), /^HTTP\/1.1 200 [^]*once$/);
  for (const path of ["/same", "/error", "/nothing", "/text"]) {
    assertMatch(await ask(path), /^HTTP\/1.1 500 /, path);
  }
  assertEquals(errors.map((error) => error instanceof TypeError), [true, true, true, true]);
  await server.close();
});
