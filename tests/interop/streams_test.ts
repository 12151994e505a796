/**
 * Streams between our kite and the existing implementations, which do not
 * support them: they send and read streams with plain functions.
 */

import { assertEquals, assertRejects } from "@std/assert";
import { deadline } from "@std/async";
import type { Connection, Kite, RemoteKite, RemoteStream } from "../../mod.ts";
import { callback, contract, KiteError, method, type } from "../../mod.ts";
import type { Part } from "../../tools/parts.ts";
import { eventually } from "../support/eventually.ts";
import { skipUnless } from "../support/parts.ts";
import { ourKite } from "./our_kite.ts";
import { Peer } from "./peers.ts";

interface Ends {
  readonly ours: Kite;
  readonly peer: Peer;
  /** The peer, as our kite calls it. */
  readonly remote: RemoteKite & Pick<Connection, "load">;
}

interface Pairing {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly connect: (stack: AsyncDisposableStack) => Promise<Ends>;
}

async function weDial(
  stack: AsyncDisposableStack,
  transport: "WebSocket" | "XHRPolling",
): Promise<Ends> {
  const peer = stack.use(await Peer.goServer());
  const ours = stack.use(ourKite());
  const remote = stack.use(ours.newClient(peer.url, { transport }));
  await remote.dial();
  await peer.event("connect");
  return { ours, peer, remote };
}

async function weServe(
  stack: AsyncDisposableStack,
  start: (url: string) => Promise<Peer>,
): Promise<Ends> {
  const ours = stack.use(ourKite());
  const { url } = await ours.listen();
  const peer = stack.use(await start(url));
  const remote = await eventually(() => [...ours.connections][0], { what: "a connection" });
  return { ours, peer, remote };
}

const pairings: Pairing[] = [
  {
    name: "ours dials Go over WebSocket",
    parts: ["go"],
    connect: (stack) => weDial(stack, "WebSocket"),
  },
  {
    name: "ours dials Go over XHRPolling",
    parts: ["go"],
    connect: (stack) => weDial(stack, "XHRPolling"),
  },
  {
    name: "Go dials ours",
    parts: ["go"],
    connect: (stack) => weServe(stack, (url) => Peer.goClient(url)),
  },
  {
    name: "kite.js dials ours",
    parts: ["node"],
    connect: (stack) => weServe(stack, (url) => Peer.kitejsClient(url.replace("http:", "ws:"))),
  },
];

interface Total {
  readonly sum: number;
  readonly count: number;
  readonly how: string;
}

const peers = contract({
  numbers: method({ args: [type<number>()], items: type<number>() }),
  total: method({
    args: [type<AsyncIterable<number>>(), type<number>(), callback<[total: Total]>()],
  }),
});

async function* count(to: number, ends: string[] = []): AsyncGenerator<number> {
  try {
    for (let n = 0; n < to; n++) yield n;
  } finally {
    ends.push("finally");
  }
}

async function* failing(): AsyncGenerator<number> {
  yield 1;
  throw new KiteError("quotaError", "no more");
}

async function sumOf(numbers: AsyncIterable<number>): Promise<number> {
  let sum = 0;
  for await (const n of numbers) sum += n;
  return sum;
}

for (const { name, parts, connect } of pairings) {
  Deno.test({
    name: `interop: streams, ${name}`,
    ...skipUnless(...parts),
    fn: async (t) => {
      await using stack = new AsyncDisposableStack();
      const { ours, peer, remote } = await connect(stack);
      const ends: string[] = [];
      ours.handle("numbers", ({ args }) => count(args.one().number(), ends));
      const api = remote.as(peers);
      const total = async (numbers: AsyncIterable<number>, most: number): Promise<Total> => {
        const done = Promise.withResolvers<Total>();
        await api.total(numbers, most, done.resolve, { callbacks: "session" });
        const result = await deadline(done.promise, 10_000);
        remote.release(done.resolve);
        return result;
      };

      await t.step(
        "our kite reads a stream of the peer, and stops reading another early",
        async () => {
          assertEquals(await sumOf(api.numbers(500)), 124_750);
          for await (const n of api.numbers(10_000)) if (n === 40) break;
          await peer.event("cancelled");
        },
      );

      await t.step(
        "the peer reads a stream of our kite, and stops reading another early",
        async () => {
          assertEquals(await total(count(205), -1), { sum: 20_910, count: 205, how: "ended" });
          assertEquals(await total(count(Infinity, ends), 25), {
            sum: 300,
            count: 25,
            how: "left",
          });
          await eventually(() => ends.length === 1);
          const { how, count: read } = await total(failing(), -1);
          assertEquals([how, read], ["quotaError: no more", 1]);
        },
      );

      await t.step("the peer reads the stream in a result of our kite", async () => {
        ends.length = 0;
        const { $stream, pull, cancel } = await peer.call("numbers", [100]) as {
          $stream: number;
          pull: unknown;
          cancel: unknown;
        };
        assertEquals($stream, 1);
        await peer.invoke(pull, [3, { "@fn": "next" }, { "@fn": "end" }]);
        await eventually(async () => (await peer.invocations("next")).flat().length === 3);
        await peer.invoke(cancel);
        await eventually(() => ends.length === 1);
        assertEquals((await peer.invocations("next")).flat(), [0, 1, 2]);
      });

      await t.step("no stream and no function of one is left", async () => {
        await eventually(() => remote.load.streams === 0);
        assertEquals(remote.load.callbacks, 0);
      });

      await t.step("a peer that is gone fails its stream with disconnect", async () => {
        const stream = await remote.tell<RemoteStream<number>>("numbers", 100_000);
        await stream.next();
        await peer.kill();
        const error = await assertRejects(() => sumOf(stream), KiteError);
        assertEquals(error.type, "disconnect");
      });
    },
  });
}
