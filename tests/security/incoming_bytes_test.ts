import { assertEquals, assertMatch } from "@std/assert";
import { FrameEncoder } from "../../src/transport/websocket/frame_codec.ts";
import { eventually } from "../support/eventually.ts";
import {
  performHandshake,
  post,
  RawConnection,
  TestServer,
} from "../transport/sockjs/server/support.ts";

const PIECE = "x".repeat(60_000);
const FORM = { "content-type": "application/x-www-form-urlencoded" };

/** A limit of 60,000 bytes a message makes bodies of 120,000 bytes possible. */
const LIMITS = { messageBytes: 60_000, incomingBytes: 200_000, incomingBytesPerAddress: 150_000 };

/** Begins a request whose body never ends, and sends one piece of it. */
async function begin(server: TestServer, url: string, path: string, isChunked: boolean) {
  const connection = await RawConnection.open(server.port);
  const target = new URL(`${url}/${path}`).pathname;
  const length = isChunked ? "Transfer-Encoding: chunked" : "Content-Length: 110000";
  await connection.write(`POST ${target} HTTP/1.1\r\nHost: x\r\n${length}\r\n\r\n`);
  await connection.write(isChunked ? `${PIECE.length.toString(16)}\r\n${PIECE}\r\n` : PIECE);
  return connection;
}

async function openSession(server: TestServer): Promise<string> {
  const url = server.session();
  assertEquals((await post(`${url}/xhr`)).status, 200);
  return url;
}

for (const path of ["xhr_send", "jsonp_send"]) {
  for (const isChunked of [false, true]) {
    const name = `${path}${isChunked ? ", chunked" : ""}`;
    Deno.test(`incomingBytesPerAddress: bodies beyond are refused with 503 (${name})`, async () => {
      await using server = new TestServer({ limits: LIMITS });
      const urls = [
        await openSession(server),
        await openSession(server),
        await openSession(server),
      ];
      using first = await begin(server, urls[0]!, path, isChunked);
      using second = await begin(server, urls[1]!, path, isChunked);
      const refused = async () => {
        const third = await post(`${await openSession(server)}/xhr_send`, JSON.stringify([PIECE]));
        return third.status === 503;
      };
      await eventually(refused, { what: "a refusal" });
      first[Symbol.dispose]();
      second[Symbol.dispose]();
      const accepted = async () => {
        const url = await openSession(server);
        return (await post(`${url}/xhr_send`, '["y"]')).status === 204;
      };
      await eventually(accepted, { what: "room for bodies again" });
    });
  }
}

Deno.test("incomingBytes: the bodies of one session hold no more than one body may", async () => {
  await using server = new TestServer({ limits: { messageBytes: 60_000 } });
  const url = await openSession(server);
  using _first = await begin(server, url, "xhr_send", false);
  using _second = await begin(server, url, "xhr_send", false);
  using third = await begin(server, url, "xhr_send", false);
  assertMatch(await third.read("\r\n\r\n"), /^HTTP\/1.1 503 /);
  const answer = await post(`${url}/xhr`);
  assertEquals(answer.text, 'c[1013,"Too many request bodies"]\n');
});

Deno.test("bodyTimeout: half a body is answered 408, and its session ends", async () => {
  await using server = new TestServer({ bodyTimeout: 100 });
  const url = await openSession(server);
  using slow = await begin(server, url, "xhr_send", false);
  assertMatch(await slow.read("\r\n\r\n"), /^HTTP\/1.1 408 /);
  assertEquals((await post(`${url}/xhr`)).text, 'c[1008,"Request body too slow"]\n');
});

Deno.test("jsonp_send: a form of a million fields costs no more than its text", async () => {
  await using server = new TestServer();
  const url = await openSession(server);
  const before = Deno.memoryUsage().heapTotal;
  const form = `${"a&".repeat(2_000_000)}d=${encodeURIComponent('["x"]')}`;
  assertEquals((await post(`${url}/jsonp_send`, form, FORM)).status, 200);
  const grown = (Deno.memoryUsage().heapTotal - before) / 1e6;
  assertEquals(grown < 100, true, `the heap grew by ${grown} MB`);
  assertEquals((await post(`${url}/xhr`)).text, 'a["x"]\n');
});

const RAW_PATH = "/echo/websocket";

/** Opens a raw WebSocket and sends the first fragment of a message. */
async function beginMessage(server: TestServer, bytes: number): Promise<RawConnection> {
  const connection = await RawConnection.open(server.port);
  assertMatch(await performHandshake(connection, RAW_PATH), /^HTTP\/1.1 101 /);
  const frame = new FrameEncoder(true).text("x".repeat(bytes));
  frame[0] = 0x01; // a text without FIN
  await connection.write(frame);
  return connection;
}

/** Sends one message as two fragments, and returns the frames that come back. */
async function echoFragments(server: TestServer, bytes: number): Promise<string> {
  using connection = await beginMessage(server, bytes);
  const frame = new FrameEncoder(true).text("END");
  frame[0] = 0x80;
  await connection.write(frame);
  return await connection.read("END");
}

Deno.test("incomingBytesPerAddress: WebSockets with more in fragments are closed", async () => {
  await using server = new TestServer({ limits: LIMITS });
  // A buffer of fragments has room for as much again, at most.
  using first = await beginMessage(server, 50_000);
  assertEquals((await echoFragments(server, 1_000)).endsWith("END"), true);
  using second = await beginMessage(server, 50_000);
  assertMatch(await second.read(), /too many bytes of incomplete messages/);
  first[Symbol.dispose]();
  await eventually(async () => (await echoFragments(server, 40_000)).endsWith("END"));
});

Deno.test("websocket: a long message that arrives together with the handshake is read", async () => {
  await using server = new TestServer();
  using connection = await RawConnection.open(server.port);
  const handshake = "GET /echo/websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" +
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
    `Sec-WebSocket-Key: ${btoa("0123456789abcdef")}\r\n\r\n`;
  const frame = new FrameEncoder(true).text("x".repeat(300_000) + "END");
  const bytes = new Uint8Array(handshake.length + frame.length);
  bytes.set(new TextEncoder().encode(handshake));
  bytes.set(frame, handshake.length);
  await connection.write(bytes);
  assertMatch(await connection.read("END"), /^HTTP\/1.1 101 [^]*xEND$/);
});

Deno.test("messageBytes: a WebSocket message in fragments beyond it closes the session", async () => {
  await using server = new TestServer({ limits: LIMITS });
  using connection = await beginMessage(server, 100_000);
  const frame = new FrameEncoder(true).text("x".repeat(20_001));
  frame[0] = 0x00;
  await connection.write(frame);
  assertMatch(await connection.read(), /Message too big/);
});

Deno.test("incomingBytes: messages in small fragments take as much memory as their text", async () => {
  await using server = new TestServer();
  const connections = [];
  const fragment = new FrameEncoder(true).text("y".repeat(100));
  fragment[0] = 0x00;
  const many = new Uint8Array(fragment.length * 5_000);
  for (let i = 0; i < 5_000; i++) many.set(fragment, i * fragment.length);
  const before = Deno.memoryUsage();
  for (let i = 0; i < 10; i++) {
    const connection = await beginMessage(server, 1);
    for (let j = 0; j < 4; j++) await connection.write(many);
    connections.push(connection);
  }
  await eventually(() => Deno.memoryUsage().external - before.external > 10 * 2_000_000);
  const { external } = Deno.memoryUsage();
  const grown = external - before.external;
  for (const connection of connections) connection[Symbol.dispose]();
  assertEquals(grown < 10 * 5_000_000, true, `${grown} bytes`);
});
