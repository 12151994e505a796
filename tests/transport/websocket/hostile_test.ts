import { assert, assertEquals, assertFalse, assertMatch, assertRejects } from "@std/assert";
import { KiteError } from "../../../src/protocol/errors.ts";
import { DEFAULT_LIMITS } from "../../../src/protocol/limits.ts";
import { type DialOptions, dialSession } from "../../../src/transport/dial_session.ts";
import type { CloseInfo } from "../../../src/transport/session.ts";
import { freePort } from "../../support/ports.ts";
import { closeFrame, frame, httpAnswer, RawServer, type Script } from "./raw_server.ts";
import { Recorder, within } from "../support.ts";

const limits = DEFAULT_LIMITS;
const TEXT = 1;

async function refusal(url: string | URL, options: Partial<DialOptions>): Promise<KiteError> {
  const dialled = dialSession(url, { limits, ...options });
  return await within(assertRejects(() => dialled, KiteError), "the refusal") as KiteError;
}

/** Dials a server that accepts the WebSocket, says `o` and then does what `script` says. */
async function endAfter(
  script: Script,
  options: Partial<DialOptions> = {},
): Promise<{ end: CloseInfo; messages: readonly string[]; ms: number }> {
  await using server = new RawServer(async (peer) => {
    await peer.upgrade();
    await peer.write(frame(TEXT, "o"));
    await script(peer);
  });
  const session = await dialSession(server.url, { transport: "WebSocket", limits, ...options });
  const recorder = new Recorder(session);
  const start = performance.now();
  const end = await recorder.closed();
  assertFalse(session.isOpen);
  return { end, messages: recorder.messages, ms: performance.now() - start };
}

Deno.test("hostile: invalid handshakes are refused with the reason", async () => {
  const accepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  const answers: [string, RegExp][] = [
    ["SSH-2.0-OpenSSH_9.6\r\n\r\n", /not HTTP\/1/],
    ["\x16\x03\x01\x02\x00", /not HTTP\/1/],
    ["HTTP/1.1 abc\r\n\r\n", /not HTTP\/1/],
    ["HTTP/1.1 ", /closed during the handshake/],
    ["", /closed during the handshake/],
    [httpAnswer("404 Not Found", "nothing"), /HTTP status 404/],
    [httpAnswer("200 OK", "<html>"), /HTTP status 200/],
    [`${accepted}\r\n`, /sec-websocket-accept does not match/],
    [`${accepted}Sec-WebSocket-Accept: bm90IHRoaXMgb25lIGhlcmU=\r\n\r\n`, /accept does not match/],
    [
      "HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
      /upgrades to another protocol/,
    ],
    ["HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n", /does not upgrade/],
    ["HTTP/1.1 101 X\r\nnonsense\r\n\r\n", /malformed header/],
    ["HTTP/1.1 101 X\r\nX: " + "y".repeat(20_000), /head of the answer is too long/],
  ];
  for (const [answer, fault] of answers) {
    await using server = new RawServer(async (peer) => {
      await peer.head();
      await peer.write(answer);
    });
    for (const transport of ["WebSocket", "rawWebSocket"] as const) {
      const error = await refusal(`${server.url}?token=hush`, { transport });
      assertEquals(error.type, "sendError");
      assertMatch(error.message, fault);
      assertFalse(error.message.includes("hush"));
    }
  }
});

Deno.test("hostile: extensions and subprotocols that were not offered are refused", async () => {
  for (
    const extra of ["Sec-WebSocket-Extensions: permessage-deflate", "Sec-WebSocket-Protocol: x"]
  ) {
    await using server = new RawServer((peer) => peer.upgrade(`${extra}\r\n`).then(() => {}));
    const error = await refusal(server.url, { transport: "WebSocket" });
    assertMatch(error.message, /not offered/);
  }
});

Deno.test("hostile: auto does not fall back if the host cannot be reached", async () => {
  for (const transport of ["auto", "WebSocket", "XHRPolling", "rawWebSocket"] as const) {
    const error = await refusal(`http://127.0.0.1:${freePort()}/kite?token=hush`, { transport });
    assertEquals(error.type, "sendError");
    assertMatch(error.message, /^Cannot reach (http:\/\/)?127\.0\.0\.1:\d+.*refused/i);
    assertFalse(error.message.includes("hush"));
  }
});

Deno.test("hostile: auto falls back after each kind of refusal, and reports why XHR failed", async () => {
  const refuse: Script = async (peer) => {
    await peer.head();
    await peer.write(httpAnswer("400 Bad Request"));
  };
  const slamDoor: Script = (peer) => peer.head().then(() => {});
  const endBeforeOpen: Script = async (peer) => {
    await peer.upgrade();
    await peer.write(closeFrame(1011, "no"));
    await peer.drain();
  };
  for (const first of [refuse, slamDoor, endBeforeOpen]) {
    await using server = new RawServer(first, async (peer) => {
      assertMatch(await peer.head(), /^POST \/kite\/\d{3}\/[a-z0-9]{20}\/xhr HTTP/);
      await peer.write(httpAnswer("404 Not Found"));
    });
    const error = await refusal(server.url, {});
    assertEquals(error.type, "sendError");
    assertMatch(
      error.message,
      /^Cannot find a kite at .*: the server answered with HTTP status 404$/,
    );
    assertEquals(server.connections, 2);
  }
});

Deno.test("hostile: silence at any stage ends dialling at the timeout", async () => {
  const stages: Script[] = [
    (peer) => peer.drain(), // no answer
    async (peer) => { // half an answer
      await peer.write("HTTP/1.1 101 Switch");
      await peer.drain();
    },
    async (peer) => { // a WebSocket, but no `o`
      await peer.upgrade();
      await peer.drain();
    },
    async (peer) => { // only heartbeats
      await peer.upgrade();
      await peer.write(frame(TEXT, "h"));
      await peer.drain();
    },
  ];
  for (const stage of stages) {
    for (const transport of ["auto", "WebSocket"] as const) {
      await using server = new RawServer(stage);
      const start = performance.now();
      const error = await refusal(server.url, { transport, handshakeTimeout: 150 });
      assertEquals(error.type, "timeout");
      assertMatch(error.message, /within 150 ms$/);
      assert(performance.now() - start < 3_000);
      assertEquals(server.connections, 1);
    }
  }
  await using server = new RawServer((peer) => peer.drain());
  const error = await refusal(server.url, { transport: "XHRPolling", handshakeTimeout: 150 });
  assertEquals(error.type, "timeout");
});

Deno.test("hostile: dialling stops when its signal is aborted", async () => {
  for (const transport of ["auto", "WebSocket", "XHRPolling", "rawWebSocket"] as const) {
    await using server = new RawServer((peer) => peer.drain());
    const controller = new AbortController();
    const dialled = refusal(server.url, { transport, signal: controller.signal });
    setTimeout(() => controller.abort("changed my mind"), 20);
    const error = await dialled;
    assertEquals(error.type, "aborted");
    assertEquals(error.cause, "changed my mind");
    const before = server.connections;
    assertEquals(
      (await refusal(server.url, { transport, signal: controller.signal })).type,
      "aborted",
    );
    assertEquals(server.connections, before);
  }
});

Deno.test("dialSession: the signal does not affect an open session", async () => {
  const aborted = Promise.withResolvers<void>();
  await using server = new RawServer(async (peer) => {
    await peer.upgrade();
    await peer.write(frame(TEXT, "o"));
    await aborted.promise;
    await peer.write(frame(TEXT, 'a["still here"]'));
    await peer.write(frame(TEXT, 'c[3000,"Go away!"]'));
    await peer.farewell();
  });
  const controller = new AbortController();
  const session = await dialSession(server.url, { limits, signal: controller.signal });
  const recorder = new Recorder(session);
  controller.abort();
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(session.isOpen);
  aborted.resolve();
  assertEquals((await recorder.closed()).code, 3000);
  assertEquals(recorder.messages, ["still here"]);
});

Deno.test("dialSession: refuses headers that HTTP does not allow, without showing them", async () => {
  const cases: [Partial<DialOptions>, RegExp][] = [
    [{ headers: { "x-secret": "hush\r\nInjected: yes" } }, /^Cannot use headers or origin: /],
    [{ origin: "http://h\r\nhush: 1" }, /^Cannot use headers or origin: /],
  ];
  for (const [options, fault] of cases) {
    const error = await refusal("http://127.0.0.1:1/kite", options);
    assertEquals(error.type, "configError");
    assertMatch(error.message, fault);
    assertFalse(error.message.includes("hush"));
  }
});

Deno.test("dialSession: sends the path and headers, and an origin only if there is one to send", async () => {
  const heads: string[] = [];
  await using server = new RawServer(async (peer) => {
    heads.push(await peer.head());
    await peer.write(httpAnswer("404 Not Found"));
  });
  const { host } = new URL(server.url);
  await refusal(`${server.url}?kiteID=X`, { headers: { "X-Own": "1", Host: "elsewhere" } });
  const origin = "https://page.example";
  await refusal(server.url, { origin, transport: "XHRPolling" });
  await refusal(server.url, { origin, transport: "WebSocket" });
  const [webSocket = "", poll = "", pagePoll = "", pageWebSocket = ""] = heads;
  const path = "/kite/\\d{3}/[a-z0-9]{20}";
  assertMatch(
    webSocket,
    new RegExp(`^GET ${path}/websocket\\?kiteID=X HTTP/1.1\r\nHost: ${host}\r\n`),
  );
  assertFalse(/\r\norigin:/i.test(webSocket));
  assertMatch(webSocket, /\r\nX-Own: 1\r\n/);
  assertMatch(webSocket, /\r\nSec-Websocket-Version: 13\r\n/);
  assertFalse(webSocket.includes("elsewhere"));
  assertMatch(poll, new RegExp(`^POST ${path}/xhr\\?kiteID=X HTTP/1.1\r\n`));
  assertFalse(/\r\norigin:/i.test(poll));
  assertMatch(poll, /\r\nx-own: 1\r\n/i);
  assertMatch(pagePoll, /\r\norigin: https:\/\/page\.example\r\n/i);
  assertMatch(pageWebSocket, /\r\nOrigin: https:\/\/page\.example\r\n/);
});

Deno.test("hostile: frames that break the protocol end the session with the right code", async () => {
  const bad: [string, Uint8Array, number][] = [
    ["reserved bits", frame(TEXT, "h", { reserved: 0x40 }), 1002],
    ["masked", frame(TEXT, "h", { masked: true }), 1002],
    ["opcode 3", frame(3, "h"), 1002],
    ["opcode 11", frame(11, "h"), 1002],
    ["fragmented ping", frame(9, "", { fin: false }), 1002],
    ["long ping", frame(9, "x".repeat(126)), 1002],
    ["continuation of nothing", frame(0, "h"), 1002],
    ["2^53 bytes announced", frame(TEXT, "", { claim: 2 ** 53 }), 1009],
    ["one byte too many announced", frame(TEXT, "", { claim: 2 * 1_000 + 65_536 + 1 }), 1009],
    ["no frame", frame(TEXT, "x[]"), 1002],
    ["broken JSON", frame(TEXT, 'a["x"'), 1002],
    ["not strings", frame(TEXT, "a[1]"), 1002],
    ["empty text", frame(TEXT, ""), 1002],
    ["not UTF-8", frame(TEXT, new Uint8Array([0xff, 0xfe])), 1007],
  ];
  for (const [name, bytes, code] of bad) {
    let farewell = "";
    const { end } = await endAfter(async (peer) => {
      await peer.write(bytes);
      await peer.farewell();
      farewell = peer.seen;
    }, { limits: { ...limits, messageBytes: 1_000 } });
    assertEquals(end.code, code, name);
    assertEquals(farewell.charCodeAt(0), 0x88, `${name}: a close frame was sent`);
  }
  const twice = await endAfter(async (peer) => {
    await peer.write(frame(TEXT, "a[", { fin: false }));
    await peer.write(frame(TEXT, '"x"]'));
    await peer.farewell();
  });
  assertEquals(twice.end.code, 1002);
});

Deno.test("hostile: endless fragments are limited, however small", async () => {
  for (const size of [1, 5_000]) {
    const { end } = await endAfter(async (peer) => {
      await peer.write(frame(TEXT, "a", { fin: false }));
      const piece = frame(0, "x".repeat(size), { fin: false });
      const many = new Uint8Array(piece.length * 1_000);
      for (let count = 0; count < 1_000; count++) many.set(piece, count * piece.length);
      for (let count = 0; count < 100; count++) await peer.write(many);
      await peer.farewell();
    }, { limits: { ...limits, messageBytes: 10_000 } });
    assertEquals(end.code, 1009);
  }
});

Deno.test("FrameReader: reads frames that are split, fragmented and mixed with control frames", async () => {
  const { end, messages } = await endAfter(async (peer) => {
    const bytes = [
      frame(TEXT, 'a["ü'.slice(0, 3), { fin: false }),
      frame(9, "are you there?"),
      frame(0, "", { fin: false }),
      frame(0, 'ü","two"]'),
      frame(10, "unasked"),
      frame(2, 'm"binary"'),
      frame(TEXT, "o"),
      frame(TEXT, "h"),
      frame(TEXT, "a[]"),
      frame(TEXT, `a["${"x".repeat(70_000)}"]`),
      frame(TEXT, 'a["last"]'),
      frame(TEXT, 'c[2010,"Another connection still open"]'),
      frame(TEXT, 'a["too late"]'),
    ].reduce((whole, part) => new Uint8Array([...whole, ...part]), new Uint8Array());
    for (const byte of bytes.subarray(0, 120)) {
      await peer.write(new Uint8Array([byte]));
      await new Promise((resolve) => setTimeout(resolve));
    }
    for (let at = 120; at < bytes.length; at += 9_973) {
      await peer.write(bytes.slice(at, at + 9_973));
    }
    await peer.farewell();
    assert(peer.seen.startsWith("\x8a\x8e"), "a masked pong of 14 bytes came");
  });
  assertEquals(messages, ["ü", "two", "binary", "x".repeat(70_000), "last"]);
  assertEquals(end, { code: 2010, reason: "Another connection still open" });
});

Deno.test("dialSession: keeps messages that arrive with the handshake", async () => {
  await using server = new RawServer(async (peer) => {
    const { write } = peer;
    const held: Uint8Array[] = [];
    peer.write = (data) => {
      held.push(typeof data === "string" ? new TextEncoder().encode(data) : data);
      return Promise.resolve();
    };
    await peer.upgrade();
    await peer.write(frame(TEXT, "o"));
    await peer.write(frame(TEXT, 'a["first"]'));
    await peer.write(closeFrame(4000, "bye"));
    await write.call(peer, new Uint8Array(held.flatMap((bytes) => [...bytes])));
    await peer.farewell();
  });
  const session = await dialSession(server.url, { limits });
  const recorder = new Recorder(session);
  assertEquals(await recorder.closed(), { code: 4000, reason: "bye" });
  assertEquals(recorder.messages, ["first"]);
});

Deno.test("hostile: a connection that ends without a close frame is 1006", async () => {
  const { end, messages } = await endAfter((peer) => peer.write(frame(TEXT, 'a["x"]')));
  assertEquals(messages, ["x"]);
  assertEquals(end, { code: 1006, reason: "the connection was lost" });
});

Deno.test("hostile: a close frame without a code counts as 1000", async () => {
  const { end } = await endAfter(async (peer) => {
    await peer.write(frame(8, ""));
    await peer.farewell();
  });
  assertEquals(end, { code: 1000, reason: "" });
});

Deno.test("hostile: a silent peer is pinged, then disconnected after idleTimeout", async () => {
  let pings = 0;
  const { end, ms } = await endAfter(async (peer) => {
    await peer.drain();
    pings = peer.opcodes().filter((opcode) => opcode === 9).length;
  }, { idleTimeout: 200 });
  assertEquals(end, { code: 1006, reason: "the peer was silent for too long" });
  assertEquals(pings, 1);
  assert(ms >= 195 && ms < 1_500, `${ms} ms`);
});

Deno.test("LifeSigns: a peer that only answers pings stays connected", async () => {
  let pings = 0;
  const { end } = await endAfter(async (peer) => {
    while (pings < 4 && await peer.read()) {
      const now = peer.opcodes().filter((opcode) => opcode === 9).length;
      if (now > pings) await peer.write(frame(10, ""));
      pings = now;
    }
    await peer.write(closeFrame(1000, "enough"));
    await peer.farewell();
  }, { idleTimeout: 400 });
  assertEquals(pings, 4);
  assertEquals(end, { code: 1000, reason: "enough" });
});

Deno.test("hostile: close waits two seconds for a peer that never answers", async () => {
  await using server = new RawServer(async (peer) => {
    await peer.upgrade();
    await peer.write(frame(TEXT, "o"));
    await peer.drain();
  });
  const session = await dialSession(server.url, { limits });
  const recorder = new Recorder(session);
  const start = performance.now();
  session.close(4000, "bye");
  assertEquals(await recorder.closed(), { code: 4000, reason: "bye" });
  const ms = performance.now() - start;
  assert(ms > 1_900 && ms < 3_500, `${ms} ms`);
});

Deno.test("hostile: a peer that does not read is closed with 1013", async () => {
  const hold = Promise.withResolvers<void>();
  await using server = new RawServer(async (peer) => {
    await peer.upgrade();
    await peer.write(frame(TEXT, "o"));
    await hold.promise;
  });
  const session = await dialSession(server.url, {
    limits: { ...limits, outgoingBytes: 1_000_000 },
  });
  const recorder = new Recorder(session);
  for (let turn = 0; turn < 2_000 && session.isOpen; turn++) {
    session.send("x".repeat(50_000));
    await new Promise((resolve) => setTimeout(resolve));
    assert(session.bufferedAmount < 1_200_000);
  }
  assertFalse(session.isOpen);
  assertEquals((await recorder.closed()).code, 1013);
  hold.resolve();
});

Deno.test("hostile: a peer that sends many pings and never reads is disconnected", async () => {
  const { end } = await endAfter(async (peer) => {
    const ping = frame(9, "x".repeat(125));
    const many = new Uint8Array(ping.length * 1_000);
    for (let count = 0; count < 1_000; count++) many.set(ping, count * ping.length);
    for (let count = 0; count < 1_000; count++) await peer.write(many);
  }, { limits: { ...limits, outgoingBytes: 200_000 } });
  assertEquals(end.code, 1006);
});

Deno.test("hostile: messages before attach are limited", async () => {
  await using server = new RawServer(async (peer) => {
    await peer.upgrade();
    await peer.write(frame(TEXT, "o"));
    for (let count = 0; count < 20; count++) {
      await peer.write(frame(TEXT, `a["${"x".repeat(10_000)}"]`));
    }
    await peer.farewell();
  });
  const session = await dialSession(server.url, { limits: { ...limits, outgoingBytes: 100_000 } });
  while (session.isOpen) await new Promise((resolve) => setTimeout(resolve, 5));
  const recorder = new Recorder(session);
  assertEquals((await recorder.closed()).code, 1008);
  assertEquals(recorder.messages, []);
});
