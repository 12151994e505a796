import { assertEquals, assertRejects } from "@std/assert";
import { BodyReader, MessageWriter, mustFlush } from "../../../src/runtime/forwarding/body.ts";
import type { Framing } from "../../../src/runtime/forwarding/head.ts";
import { Input } from "../../../src/runtime/forwarding/input.ts";
import { BadMessage } from "../../../src/runtime/http1/fields.ts";
import { cut, FakeStream } from "./fake_stream.ts";

const CHUNKED: Framing = { kind: "chunked" };

/** Reads a body that comes in pieces; returns it, and what follows it. */
async function read(text: string, framing: Framing, length: number): Promise<[string, string]> {
  const input = new Input(new FakeStream(...cut(text, length)));
  const body = new BodyReader(input, framing);
  const decoder = new TextDecoder();
  let found = "";
  for (let bytes = await body.next(); bytes !== null; bytes = await body.next()) {
    found += decoder.decode(bytes);
  }
  assertEquals(body.isOver, true);
  let rest = "";
  do {
    rest += decoder.decode(input.bytes);
    input.skip(input.bytes.length);
  } while (await input.more());
  return [found, rest];
}

Deno.test("BodyReader: returns the body of each framing, and leaves what follows", async () => {
  const chunks = "4\r\nText\r\n00A\r\n and more.\r\n0\r\nTrailer: dropped\r\n\r\n";
  for (const length of [1, 2, 5, 1_000]) {
    assertEquals(await read("hello|next", { kind: "length", length: 5 }, length), [
      "hello",
      "|next",
    ]);
    assertEquals(await read("|next", { kind: "none" }, length), ["", "|next"]);
    assertEquals(await read("hello", { kind: "close" }, length), ["hello", ""]);
    assertEquals(await read(`${chunks}next`, CHUNKED, length), ["Text and more.", "next"]);
    assertEquals(await read("0\r\n\r\nnext", CHUNKED, length), ["", "next"]);
  }
});

Deno.test("BodyReader: knows the end of a chunked body that has come with its last chunk", async () => {
  const ends: [text: string, isOver: boolean][] = [
    ["5\r\nhello\r\n0\r\n\r\nnext", true],
    ["5\r\nhello\r\n0\r\n", false],
    ["5\r\nhello\r\n0\r\nX: 1\r\n\r\n", false],
    ["5\r\nhello\r\n5\r\nhello\r\n", false],
  ];
  for (const [text, isOver] of ends) {
    const input = new Input(new FakeStream(text));
    const body = new BodyReader(input, CHUNKED);
    assertEquals(new TextDecoder().decode(await body.next() ?? undefined), "hello");
    assertEquals(body.isOver, isOver, text);
    if (!isOver) continue;
    assertEquals(await body.next(), null);
    assertEquals(new TextDecoder().decode(input.bytes), "next");
  }
});

Deno.test("BodyReader: refuses cut bodies and malformed chunks", async () => {
  const wrong: [text: string, framing: Framing][] = [
    ["hell", { kind: "length", length: 5 }],
    ["5\r\nhell", CHUNKED],
    ["5\r\nhello", CHUNKED],
    ["5\r\nhello\r\n", CHUNKED],
    ["5\r\nhello\r\n0\r\n", CHUNKED],
    ["5\r\nhelloX\r\n0\r\n\r\n", CHUNKED],
    ["5\nhello\r\n0\r\n\r\n", CHUNKED],
    ["5\r\nhello\n0\r\n\r\n", CHUNKED],
    ["+5\r\nhello\r\n0\r\n\r\n", CHUNKED],
    ["0x5\r\nhello\r\n0\r\n\r\n", CHUNKED],
    [" 5\r\nhello\r\n0\r\n\r\n", CHUNKED],
    ["\r\nhello\r\n0\r\n\r\n", CHUNKED],
    ["5;x=y\r\nhello\r\n0\r\n\r\n", CHUNKED],
    ["100000005\r\nhello\r\n0\r\n\r\n", CHUNKED],
    [`5;${"x".repeat(300)}\r\nhello\r\n0\r\n\r\n`, CHUNKED],
    ["0\r\nContent-Length: 5\r\n\r\n", CHUNKED],
    ["0\r\nno trailer\r\n\r\n", CHUNKED],
    ["0\r\nX: a\rb\r\n\r\n", CHUNKED],
    [`0\r\n${"Trailer: x\r\n".repeat(1_000)}\r\n`, CHUNKED],
    [`0\r\n${"x".repeat(9_000)}`, CHUNKED],
  ];
  for (const [text, framing] of wrong) {
    for (const length of [1, 7, 65_536]) {
      await assertRejects(() => read(text, framing, length), BadMessage, "", text.slice(0, 40));
    }
  }
});

Deno.test("MessageWriter: sends the head with the beginning of the body, and frames chunks", async () => {
  const head = new TextEncoder().encode("HEAD|");
  const piece = new TextEncoder().encode("hello");
  const plain = new FakeStream();
  const writer = new MessageWriter(plain, head, false);
  await writer.write(piece, false);
  assertEquals([plain.written, plain.writes], ["HEAD|hello", 1]);
  await writer.write(piece, false);
  await writer.end();
  assertEquals([plain.written, plain.writes], ["HEAD|hello" + "hello", 2]);

  const chunked = new FakeStream();
  const framed = new MessageWriter(chunked, head, true);
  await framed.write(piece, false);
  await framed.write(new Uint8Array(70_000).fill(97), false);
  await framed.end();
  assertEquals(
    chunked.written,
    `HEAD|5\r\nhello\r\n11170\r\n${"a".repeat(70_000)}\r\n0\r\n\r\n`,
  );

  const short = new FakeStream();
  const joined = new MessageWriter(short, head, true);
  await joined.write(piece, true);
  await joined.end();
  assertEquals([short.written, short.writes], ["HEAD|5\r\nhello\r\n0\r\n\r\n", 1]);

  const empty = new FakeStream();
  await new MessageWriter(empty, head, false).end();
  assertEquals([empty.written, empty.writes], ["HEAD|", 1]);
});

Deno.test("mustFlush: only a head whose body may be long in coming is sent alone", async () => {
  const input = new Input(new FakeStream("x"));
  assertEquals(mustFlush(input, { kind: "none" }), false);
  assertEquals(mustFlush(input, { kind: "length", length: 100 }), false);
  assertEquals(mustFlush(input, { kind: "length", length: 1_000_000 }), true);
  assertEquals(mustFlush(input, CHUNKED), true);
  assertEquals(mustFlush(input, { kind: "close" }), true);
  await input.more();
  assertEquals(mustFlush(input, CHUNKED), false);
});
