import { assert, assertEquals } from "@std/assert";
import { ConnStream } from "../../../src/runtime/deno/conn_stream.ts";
import { FairLoop } from "../../../src/runtime/deno/fair_loop.ts";
import { afterTurn } from "../../../src/runtime/turn.ts";

function spin(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** Two ends of a TCP connection. */
async function connect(): Promise<[Deno.TcpConn, Deno.TcpConn]> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const client = await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port });
  return [client, await accepted];
}

/** Pieces of work that may be done before a byte of another connection is noticed. */
const MOST_PIECES = 40;

Deno.test("afterTurn: connections are noticed while callbacks follow callbacks", async () => {
  const [client, server] = await connect();
  using _server = server;
  using _client = client;
  let pieces = 0;
  let isDone = false;
  const work = Array.from({ length: 16 }, async () => {
    for (; !isDone && pieces < 2_000; pieces++) {
      await new Promise<void>((resolve) => {
        afterTurn(() => {
          spin(1);
          resolve();
        });
      });
    }
  });
  const reading = server.read(new Uint8Array(1));
  while (pieces < 32) await new Promise((resolve) => setTimeout(resolve, 0));
  const before = pieces;
  await client.write(Uint8Array.of(1));
  await reading;
  isDone = true;
  assert(pieces - before <= MOST_PIECES, `noticed after ${pieces - before} callbacks`);
  await Promise.all(work);
});

Deno.test("ConnStream: connections are noticed while many others receive", async () => {
  const pairs = await Promise.all(Array.from({ length: 16 }, connect));
  const [client, server] = await connect();
  using _server = server;
  using _client = client;
  let pieces = 0;
  for (const [sender, receiver] of pairs) {
    // What the socket does not take is sent while the other side reads.
    void sender.write(new Uint8Array(8_388_608)).catch(() => {});
    const stream = new ConnStream(receiver, () => {});
    const onData = (): void => {
      pieces++;
      spin(1);
    };
    stream.handler = { onData, onEnd: () => {} };
    stream.start();
  }
  const reading = server.read(new Uint8Array(1));
  while (pieces < 32) await new Promise((resolve) => setTimeout(resolve, 0));
  const before = pieces;
  await client.write(Uint8Array.of(1));
  await reading;
  const after = pieces;
  for (const [sender, receiver] of pairs) {
    sender.close();
    receiver.close();
  }
  await new Promise<void>(afterTurn);
  assert(after - before <= MOST_PIECES, `noticed after ${after - before} reads`);
});

/** A loop that has been busy for too long. */
function busyLoop(): FairLoop {
  const loop = new FairLoop();
  const start = performance.now();
  spin(20);
  assert(loop.add(start) >= 20);
  return loop;
}

Deno.test("FairLoop: after too much work others wait, the light ones for the shortest time", async () => {
  const loop = busyLoop();
  const done: string[] = [];
  const waits = [
    loop.turn(false)?.then(() => done.push("heavy")),
    loop.turn(true)?.then(() => done.push("light")),
    new Promise<void>((resolve) => {
      loop.afterTurn(() => {
        done.push("callback");
        resolve();
      });
    }),
  ];
  assertEquals(done, []);
  await Promise.all(waits);
  assertEquals(done, ["light", "heavy", "callback"]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(loop.turn(false), undefined, "nothing waits any more");
});

Deno.test("FairLoop: a callback that throws does not hold up the others", async () => {
  const errors: string[] = [];
  const note = (event: ErrorEvent): void => {
    event.preventDefault();
    errors.push(event.error.message);
  };
  addEventListener("error", note);
  try {
    const loop = busyLoop();
    loop.afterTurn(() => {
      throw new Error("broken");
    });
    await new Promise<void>((resolve) => loop.afterTurn(resolve));
    assertEquals(errors, ["broken"]);
  } finally {
    removeEventListener("error", note);
  }
});
