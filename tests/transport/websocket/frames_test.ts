import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { FrameEncoder, OPCODE } from "../../../src/transport/websocket/frame_codec.ts";
import { FrameReader, type FrameSink } from "../../../src/transport/websocket/frame_reader.ts";

/** Records the events of a reader. */
class Sink implements FrameSink {
  readonly events: string[] = [];
  /** Bytes that the reader currently holds. */
  held = 0;
  most = 0;
  readonly #room: number;

  constructor(room = Infinity) {
    this.#room = room;
  }

  onText(text: string): void {
    this.events.push(`text ${text}`);
  }

  onPing(payload: Uint8Array): void {
    this.events.push(`ping ${new TextDecoder().decode(payload)}`);
  }

  onPong(): void {
    this.events.push("pong");
  }

  onCloseFrame(code: number, reason: string): void {
    this.events.push(`close ${code} ${reason}`);
  }

  onViolation(code: number): void {
    this.events.push(`violation ${code}`);
  }

  onHold(bytes: number): boolean {
    if (this.held + bytes > this.#room) return false;
    this.held += bytes;
    this.most = Math.max(this.most, this.held);
    return true;
  }

  onFree(bytes: number): void {
    this.held -= bytes;
  }
}

interface FrameInit {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly final?: boolean;
  readonly isMasked?: boolean;
}

/** Encodes a frame byte by byte, independently of the encoder. */
function frame({ opcode, payload, final = true, isMasked = true }: FrameInit): number[] {
  const { length } = payload;
  const mask = isMasked ? 0x80 : 0;
  const header = [(final ? 0x80 : 0) | opcode];
  if (length < 126) header.push(mask | length);
  else if (length < 65_536) header.push(mask | 126, length >> 8, length & 255);
  else {header.push(
      mask | 127,
      0,
      0,
      0,
      0,
      length >> 24,
      length >> 16 & 255,
      length >> 8 & 255,
      length & 255,
    );}
  const key = [7, 250, 0, 99];
  if (isMasked) header.push(...key);
  for (let i = 0; i < length; i++) header.push(isMasked ? payload[i]! ^ key[i & 3]! : payload[i]!);
  return header;
}

/** Feeds bytes in pieces, each in a buffer of its own that is not aligned to words. */
function feed(reader: FrameReader, bytes: readonly number[], sizes: readonly number[]): void {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes.length === 0 ? bytes.length : sizes[i % sizes.length]!;
    const piece = bytes.slice(at, at + size);
    const buffer = new Uint8Array(piece.length + 3);
    buffer.set(piece, i % 4);
    reader.feed(buffer.subarray(i % 4, i % 4 + piece.length));
    buffer.fill(0xff); // the reader must not keep a view of it
    at += piece.length;
  }
}

for (const isMasked of [true, false]) {
  const side = isMasked ? "server" : "client";
  Deno.test(`FrameReader: a ${side} reads any messages, however fragmented and split`, () => {
    const fragment = fc.string({ unit: "grapheme-ascii", maxLength: 300 });
    const message = fc.record({
      fragments: fc.array(fragment, { minLength: 1, maxLength: 5 }),
      ping: fc.option(fc.string({ unit: "grapheme-ascii", maxLength: 20 })),
      opcode: fc.constantFrom(OPCODE.text, OPCODE.binary),
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 700 }), { maxLength: 4 });
    fc.assert(fc.property(fc.array(message, { maxLength: 6 }), sizes, (messages, pieces) => {
      const sink = new Sink();
      const reader = new FrameReader({ maxBytes: 10_000, isMasked }, sink);
      const bytes: number[] = [];
      const expected: string[] = [];
      for (const { fragments, ping, opcode } of messages) {
        fragments.forEach((text, i) => {
          const final = i === fragments.length - 1;
          const payload = new TextEncoder().encode(text);
          bytes.push(...frame({
            opcode: i === 0 ? opcode : OPCODE.continuation,
            payload,
            final,
            isMasked,
          }));
          if (ping === null || final) return;
          const control = new TextEncoder().encode(ping);
          bytes.push(...frame({ opcode: OPCODE.ping, payload: control, isMasked }));
          expected.push(`ping ${ping}`);
        });
        expected.push(`text ${fragments.join("")}`);
      }
      feed(reader, bytes, pieces);
      assertEquals(sink.events, expected);
      assertEquals(sink.held, 0);
    }));
  });
}

Deno.test("FrameReader: reads what FrameEncoder writes, in both directions", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 3_000 }), fc.nat(100_000), (text, n) => {
      const message = text.repeat(1 + (n % 30));
      for (const isMasked of [true, false]) {
        const sink = new Sink();
        const reader = new FrameReader({ maxBytes: 1_000_000, isMasked }, sink);
        const encoder = new FrameEncoder(isMasked);
        reader.feed(encoder.text(message).slice());
        reader.feed(encoder.close(4_000, "end").slice());
        assert(sink.events[0] === `text ${message}`);
        assertEquals(sink.events.slice(1), ["close 4000 end"]);
      }
    }),
    { numRuns: 60 },
  );
});

const hello = new TextEncoder().encode("hello");
const VIOLATIONS: Record<string, [frames: FrameInit[], code: number]> = {
  "a frame without mask": [[{ opcode: OPCODE.text, payload: hello, isMasked: false }], 1002],
  "an unknown opcode": [[{ opcode: 3, payload: hello }], 1002],
  "an unknown control opcode": [[{ opcode: 11, payload: hello }], 1002],
  "reserved bits": [[{ opcode: OPCODE.text | 0x40, payload: hello }], 1002],
  "a fragmented ping": [[{ opcode: OPCODE.ping, payload: hello, final: false }], 1002],
  "a long ping": [[{ opcode: OPCODE.ping, payload: new Uint8Array(126) }], 1002],
  "a continuation of nothing": [[{ opcode: OPCODE.continuation, payload: hello }], 1002],
  "a text within a fragmented one": [[
    { opcode: OPCODE.text, payload: hello, final: false },
    { opcode: OPCODE.text, payload: hello },
  ], 1002],
  "invalid UTF-8": [[{ opcode: OPCODE.text, payload: Uint8Array.of(0xed, 0xa0, 0x80) }], 1007],
  "invalid UTF-8 in two fragments": [[
    { opcode: OPCODE.text, payload: Uint8Array.of(0xf0, 0x9f), final: false },
    { opcode: OPCODE.continuation, payload: Uint8Array.of(0x98) },
  ], 1007],
  "half a close code": [[{ opcode: OPCODE.close, payload: Uint8Array.of(3) }], 1002],
  "the close code 1005": [[{ opcode: OPCODE.close, payload: Uint8Array.of(3, 0xed) }], 1002],
  "the close code 2000": [[{ opcode: OPCODE.close, payload: Uint8Array.of(7, 0xd0) }], 1002],
  "invalid UTF-8 in a close reason": [
    [{ opcode: OPCODE.close, payload: Uint8Array.of(3, 0xe8, 0xff) }],
    1007,
  ],
  "a message that is too long": [[{ opcode: OPCODE.text, payload: new Uint8Array(1_001) }], 1009],
  "fragments that are too long together": [[
    { opcode: OPCODE.text, payload: new Uint8Array(600), final: false },
    { opcode: OPCODE.continuation, payload: new Uint8Array(600), final: false },
  ], 1009],
};

Deno.test("FrameReader: a server refuses what breaks the protocol or a limit", async (t) => {
  for (const [name, [frames, code]] of Object.entries(VIOLATIONS)) {
    await t.step(name, () => {
      for (const sizes of [[], [1]]) {
        const sink = new Sink();
        const reader = new FrameReader({ maxBytes: 1_000, isMasked: true }, sink);
        feed(reader, frames.flatMap(frame), sizes);
        feed(reader, frame({ opcode: OPCODE.text, payload: hello }), sizes);
        assertEquals(sink.events, [`violation ${code}`]);
        assertEquals(sink.held, 0);
      }
    });
  }
});

Deno.test("FrameReader: reads U+FFFD in texts, and binary messages of any bytes", () => {
  const sink = new Sink();
  const reader = new FrameReader({ maxBytes: 1_000, isMasked: true }, sink);
  feed(reader, frame({ opcode: OPCODE.text, payload: new TextEncoder().encode("a\uFFFD") }), [3]);
  feed(reader, frame({ opcode: OPCODE.binary, payload: Uint8Array.of(0x62, 0xff) }), []);
  assertEquals(sink.events, ["text a\uFFFD", "text b\uFFFD"]);
});

Deno.test("FrameReader: takes memory for what has arrived, not for what a header announces", () => {
  const sink = new Sink();
  const reader = new FrameReader({ maxBytes: 64_000_000, isMasked: true }, sink);
  const announced = frame({ opcode: OPCODE.text, payload: new Uint8Array(200_000) });
  feed(reader, announced.slice(0, 20_000), [1_000]);
  assert(sink.held >= 20_000 - 14 && sink.held <= 40_000, `${sink.held} bytes`);
  feed(reader, announced.slice(20_000), [10_000]);
  assertEquals([sink.events.length, sink.held], [1, 0]);
});

Deno.test("FrameReader: ends with 1013 when it must not have more memory", () => {
  const sink = new Sink(30_000);
  const reader = new FrameReader({ maxBytes: 1_000_000, isMasked: true }, sink);
  const fragment = frame({
    opcode: OPCODE.continuation,
    payload: new Uint8Array(1_000),
    final: false,
  });
  feed(reader, frame({ opcode: OPCODE.text, payload: hello, final: false }), []);
  for (let i = 0; i < 100; i++) feed(reader, fragment, []);
  assertEquals(sink.events, ["violation 1013"]);
  assert(sink.most <= 30_000);
  assertEquals(sink.held, 0);
});
