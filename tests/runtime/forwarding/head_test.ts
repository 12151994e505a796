import {
  assertEquals,
  assertNotStrictEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  encodeHead,
  HeadEncoder,
  parseAnswer,
  parseRequest,
  RequestParser,
} from "../../../src/runtime/forwarding/head.ts";
import { Input } from "../../../src/runtime/forwarding/input.ts";
import { BadMessage } from "../../../src/runtime/http1/fields.ts";
import { cut, FakeStream } from "./fake_stream.ts";

const REQUEST = "POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 5 \r\nX-é: no\r\n";

function statusOf(run: () => unknown): number {
  return (assertThrows(run, BadMessage) as BadMessage).status;
}

Deno.test("Input.readHead: reads a head that comes in pieces, and leaves what follows", async () => {
  const text = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (const length of [1, 2, 3, 7, 1_000]) {
    const input = new Input(new FakeStream(...cut(`\r\n\r\n${text}body`, length)));
    assertEquals(await input.readHead(100), text.slice(0, -4), String(length));
    let rest = "";
    do {
      rest += new TextDecoder().decode(input.bytes);
      input.skip(input.bytes.length);
    } while (await input.more());
    assertEquals(rest, "body");
  }
  assertEquals(await new Input(new FakeStream()).readHead(100), undefined);
});

Deno.test("Input.readHead: refuses line ends other than CR LF, cut heads, and heads over the limit", async () => {
  const wrong: [text: string, status: number][] = [
    ["GET / HTTP/1.1\nHost: a\n\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\n\r\n", 400],
    ["\nGET / HTTP/1.1\r\n\r\n", 400],
    ["GET / HTTP/1.1\r\nHost: a\r\n", 400],
    [`GET / HTTP/1.1\r\nX: ${"x".repeat(100)}`, 431],
    [`GET / HTTP/1.1\r\nX: ${"x".repeat(90)}\r\n\r\n`, 431],
    ["\r\n".repeat(200), 431],
  ];
  for (const [text, status] of wrong) {
    for (const length of [1, 10, 1_000]) {
      const input = new Input(new FakeStream(...cut(text, length)));
      const error = await assertRejects(() => input.readHead(100), BadMessage, "", text);
      assertEquals((error as BadMessage).status, status, text);
    }
  }
});

Deno.test("parseRequest: returns the parts of a request", () => {
  const { rawHeaders, ...rest } = parseRequest(
    "PUT /x HTTP/1.1\r\nHost:a\r\nX-One: \u00e9 b\t\r\nx-one:\r\nConnection: X, close",
  );
  assertEquals(rawHeaders, [
    "Host",
    "a",
    "X-One",
    "\u00e9 b",
    "x-one",
    "",
    "Connection",
    "X, close",
  ]);
  assertEquals(rest, {
    method: "PUT",
    target: "/x",
    framing: { kind: "none" },
    isOld: false,
    upgrade: undefined,
    expect: undefined,
    keepsAlive: false,
  });
  const parse = (...lines: string[]) => parseRequest(["GET / HTTP/1.1", ...lines].join("\r\n"));
  assertEquals(parse("Content-Length: 5").framing, { kind: "length", length: 5 });
  assertEquals(parse("Content-Length: 0").framing, { kind: "none" });
  assertEquals(parse("Transfer-Encoding: Chunked").framing, { kind: "chunked" });
  assertEquals(parse("Connection: keep-alive, Upgrade", "Upgrade: WebSocket").upgrade, "websocket");
  assertEquals(parse("Upgrade: websocket").upgrade, undefined);
  assertEquals(parse("Expect: 100-Continue").expect, "100-continue");
  assertEquals(parseRequest("GET / HTTP/1.0").keepsAlive, false);
});

Deno.test("parseRequest: refuses what servers understand differently", () => {
  const line = "POST /a HTTP/1.1";
  const wrong = [
    "",
    "POST /a",
    "POS /a HTTP/1.1",
    `${line}\r\nContent-Length: 5\t`,
    "post /a HTTP/1.1",
    "POST /a HTTP/2.0",
    "POST  /a HTTP/1.1",
    "POST /a b HTTP/1.1",
    "POST /a HTTP/1.1 ",
    "POST /\u00e9 HTTP/1.1",
    ` ${line}`,
    `${line}\r\nno colon`,
    `${line}\r\n: no name`,
    `${line}\r\nHost : a`,
    `${line}\r\nHo st: a`,
    `${line}\r\n folded`,
    `${line}\r\nHost: a\r\n\tfolded`,
    `${line}\r\nX: a\0b`,
    `${line}\r\nX: a\rb`,
    `${line}\r\nX: a\x7f`,
    `${line}\r\nX: a\u0100`,
    `${line}\r\n"X": a`,
    `${line}\r\nContent-Length: 5\r\nContent-Length: 5`,
    `${line}\r\nContent-Length: 5, 5`,
    `${line}\r\nContent-Length: +5`,
    `${line}\r\nContent-Length: 0x5`,
    `${line}\r\nContent-Length: 5 5`,
    `${line}\r\nContent-Length: -1`,
    `${line}\r\nContent-Length:`,
    `${line}\r\nContent-Length: ${"9".repeat(16)}`,
    `${line}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked`,
    `${line}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked`,
    `${line}\r\nHost: a\r\nHost: a`,
    `${line}\r\nExpect: 100-continue\r\nExpect: 100-continue`,
    `${line}\r\nTransfer-Encoding:\x0bchunked`,
    "POST /a HTTP/1.0\r\nTransfer-Encoding: chunked",
    `${line}\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5`,
  ];
  for (const text of wrong) assertEquals(statusOf(() => parseRequest(text)), 400, text);
  for (const coding of ["gzip, chunked", "identity", "xchunked"]) {
    assertEquals(statusOf(() => parseRequest(`${line}\r\nTransfer-Encoding: ${coding}`)), 501);
  }
});

Deno.test("RequestParser: reads each request like parseRequest, and repeats the array of equal headers", () => {
  const parser = new RequestParser();
  const block = "\r\nHost: a\r\nContent-Length: 5";
  const texts = [
    `POST /a HTTP/1.1${block}`,
    `PUT /b HTTP/1.1${block}`,
    `PUT /b HTTP/1.1${block}0`,
    `POST /a HTTP/1.0${block}0`,
    `POST /a HTTP/1.0\r\nHost: a`,
    `GET /a HTTP/1.1\r\nHost: a`,
    `GET /a HTTP/1.1`,
    `GET /b HTTP/1.1`,
  ];
  const found = texts.map((text) => parser.parse(text));
  assertEquals(found, texts.map(parseRequest));
  assertStrictEquals(found[0]!.rawHeaders, found[1]!.rawHeaders);
  for (const text of [`POST  /a HTTP/1.1${block}`, `${block}`, "GET /b HTTP/1.1\r\n"]) {
    assertThrows(() => parser.parse(text), BadMessage, "", text);
  }
});

Deno.test("RequestParser: does not remember long heads", () => {
  const parser = new RequestParser();
  const text = `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(3_000)}`;
  assertNotStrictEquals(parser.parse(text).rawHeaders, parser.parse(text).rawHeaders);
});

Deno.test("HeadEncoder: encodes like encodeHead", () => {
  const encoder = new HeadEncoder();
  const [one, other] = [["A", "1"], ["B", "2", "C", "3"]];
  for (const headers of [one, one, other, one]) {
    assertEquals(
      encoder.encode("GET / HTTP/1.1", headers!),
      encodeHead("GET / HTTP/1.1", headers!),
    );
  }
});

Deno.test("parseAnswer: returns the framing of the body", () => {
  const framing = (text: string, method = "GET") => parseAnswer(text, method).framing.kind;
  assertEquals(framing("HTTP/1.1 200 OK\r\nContent-Length: 5"), "length");
  assertEquals(framing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"), "chunked");
  assertEquals(framing("HTTP/1.1 200 OK"), "close");
  assertEquals(framing("HTTP/1.1 200 OK\r\nContent-Length: 5", "HEAD"), "none");
  assertEquals(framing("HTTP/1.1 304 Not Modified\r\nContent-Length: 5"), "none");
  assertEquals(framing("HTTP/1.1 204 No Content"), "none");
  assertEquals(framing("HTTP/1.1 100 Continue"), "none");
  const { status, reason, keepsAlive } = parseAnswer("HTTP/1.0 404 Not here", "GET");
  assertEquals([status, reason, keepsAlive], [404, "Not here", false]);
  assertEquals(parseAnswer("HTTP/1.1 200", "GET").keepsAlive, true);
  for (const text of ["HTTP/1.1 20 OK", "HTTP/1.1 999 OK", "HTTP/2 200 OK", "HTTP/1.1 200 a\rb"]) {
    assertThrows(() => parseAnswer(text, "GET"), BadMessage, "", text);
  }
  assertThrows(
    () => parseAnswer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked", "GET"),
    BadMessage,
  );
});

Deno.test("encodeHead: writes the characters of HTTP, one byte each", () => {
  const bytes = encodeHead("GET / HTTP/1.1", ["A", "\u00e9", "B", "b"]);
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  assertEquals(text, "GET / HTTP/1.1\r\nA: \u00e9\r\nB: b\r\n\r\n");
  assertThrows(() => parseRequest(REQUEST), BadMessage); // é is no letter of a name
});
