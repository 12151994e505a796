import { assert, assertEquals } from "@std/assert";
import { DenoStream } from "../../../src/runtime/forwarding/stream.ts";

/** A connection that never has to wait, neither for bytes to read nor for room to write. */
const BUSY = {
  read: (buffer: Uint8Array) => Promise.resolve(buffer.length),
  write: (bytes: Uint8Array) => Promise.resolve(bytes.length),
} as unknown as Deno.Conn;

for (const action of ["read", "write"] as const) {
  Deno.test(`DenoStream: others have their turn while one side need not wait, ${action}`, async () => {
    let hadTurn = false;
    const timer = setTimeout(() => hadTurn = true, 5);
    const stream = new DenoStream(BUSY);
    const bytes = new Uint8Array(10);
    const began = performance.now();
    while (!hadTurn && performance.now() - began < 1_000) await stream[action](bytes);
    clearTimeout(timer);
    assert(hadTurn);
  });
}

Deno.test("DenoStream: the buffer grows with what comes, and shrinks again", async () => {
  const sizes: number[] = [];
  let count = Infinity;
  const stream = new DenoStream({
    read: (buffer: Uint8Array) => {
      sizes.push(buffer.length);
      return Promise.resolve(Math.min(count, buffer.length));
    },
  } as unknown as Deno.Conn);
  for (let i = 0; i < 4; i++) await stream.read();
  count = 10;
  for (let i = 0; i < 2; i++) await stream.read();
  assertEquals(sizes, [2_048, 8_192, 32_768, 65_536, 65_536, 2_048]);
});
