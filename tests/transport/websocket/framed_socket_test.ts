import { assert, assertEquals } from "@std/assert";
import type { ByteStream } from "../../../src/runtime/byte_stream.ts";
import { FramedSocket } from "../../../src/transport/websocket/framed_socket.ts";
import type { SocketHandler } from "../../../src/transport/websocket/socket.ts";

/** A stream whose peer never reads. */
class Stuck implements ByteStream {
  readonly remoteAddress = "";
  readonly writes: Uint8Array[] = [];
  bufferedAmount = 0;
  isDestroyed = false;

  write(bytes: Uint8Array<ArrayBuffer>): void {
    this.writes.push(bytes);
    this.bufferedAmount += bytes.length;
  }

  end(): void {}

  destroy(): void {
    this.isDestroyed = true;
  }
}

const HANDLER: SocketHandler = {
  onOpen: () => {},
  onText: () => {},
  onAlive: () => {},
  onClosing: () => {},
  onClose: () => {},
};

/** An empty ping with a mask of zeros. */
const PING = [0x89, 0x80, 0, 0, 0, 0];
const PONG = [0x8a, 0];

function socket(outgoingBytes: number): { stream: Stuck; framed: FramedSocket } {
  const stream = new Stuck();
  const options = { isServer: true, maxBytes: 1_000, outgoingBytes };
  return { stream, framed: new FramedSocket(stream, options, HANDLER) };
}

Deno.test("FramedSocket: answers all pings that arrive together with one write", () => {
  const { stream, framed } = socket(100_000);
  framed.onData(Uint8Array.from({ length: 10 * PING.length }, (_, i) => PING[i % PING.length]!));
  assertEquals(stream.writes.map((bytes) => [...bytes]), [Array(10).fill(PONG).flat()]);
});

Deno.test("FramedSocket: sends pongs before the answer to a close frame", () => {
  const { stream, framed } = socket(100_000);
  framed.onData(Uint8Array.of(...PING, 0x88, 0x80, 0, 0, 0, 0));
  assertEquals(stream.writes.map(([first]) => first), [0x8a, 0x88]);
  framed.onEnd();
});

Deno.test("FramedSocket: counts the memory of waiting pongs, not only their bytes", () => {
  const { stream, framed } = socket(100_000);
  while (!stream.isDestroyed && stream.writes.length < 10_000) framed.onData(Uint8Array.from(PING));
  assert(stream.writes.length < 1_000, `${stream.writes.length} pongs wait`);
});
