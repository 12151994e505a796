import { assert, assertEquals } from "@std/assert";
import { Authenticators } from "../../src/rpc/authenticators.ts";
import { Methods } from "../../src/rpc/methods.ts";
import { PipeSession, Side } from "../rpc/support.ts";
import { eventually } from "../support/eventually.ts";
import answers from "../vectors/hostile_answers.json" with { type: "json" };
import requests from "../vectors/hostile_requests.json" with { type: "json" };
import { heapInUse } from "./heap.ts";
import { callingKite, targetKite } from "./kites.ts";
import { Dice, mutate } from "./mutate.ts";
import { withUntouchedPrototypes } from "./prototypes.ts";
import { compactTexts, isArray } from "./compact_text.ts";
import { answerText, responseIdOf, ScriptedServer } from "./scripted_server.ts";
import { Wire } from "./wire.ts";

const VOLUME = 100_000;
const PER_CONVERSATION = 500;
const THROUGH_SOCKETS = 4_000;
const SQUARE = '{"method":"square","arguments":[{"withArgs":[7]}],' +
  '"callbacks":{"990":[0,"responseCallback"]}}';
const SQUARED = '{"method":990,"arguments":[{"error":null,"result":49}],"callbacks":{}}';

const PLAIN: readonly string[] = [
  ...requests.flatMap(({ messages }) => messages),
  ...answers.flatMap(({ messages }) =>
    messages.map((text) => text.replaceAll("$CB", "0").replaceAll("$FN", "1"))
  ),
];

/** The same as compact messages, and some of each kind. */
const COMPACT: readonly string[] = [
  ...PLAIN.flatMap(compactTexts),
  '[1,5,"echo",["[Function]"],{"callbacks":{"7":[3,0]},"timeout":5,"meta":{"a":"b"}}]',
  '[2,0,{"$stream":1,"pull":"[Function]","cancel":"[Function]"},{"callbacks":{"7":[2,"pull"],"8":[2,"cancel"]}}]',
  '[3,1,{"type":"genericError","message":"x"}]',
  '[4,8,["[Function]",{}],{"callbacks":{"7":[2,0]}}]',
  "[5,0]",
  "[6,[1,2,8]]",
  "[7,[1,2,8]]",
];

/** What is mutated, and a call whose answer is known. */
const KINDS = [
  { name: "plain", corpus: PLAIN, hello: undefined, square: SQUARE, squared: SQUARED },
  {
    name: "compact",
    corpus: [...COMPACT, ...COMPACT, ...PLAIN],
    hello: '{"method":"square","arguments":[{"withArgs":[7],"can":["compact/1","cancel/1"]}],' +
      '"callbacks":{"989":[0,"responseCallback"]}}',
    square: '[1,990,"square",[7]]',
    squared: "[2,990,49]",
  },
];

function methods(): Methods {
  const all = new Methods({
    handling: "method",
    authenticates: false,
    nameLength: 256,
    authenticators: new Authenticators(),
  });
  all.handle("square", ({ args }) => args.one().number() ** 2);
  all.handle("echo", ({ args }) => args.values);
  all.handle("later", async ({ args }) => await Promise.resolve(args.values[0]));
  all.handle("whoami", ({ kite }) => kite);
  all.handle("throws", ({ args }) => {
    throw args.values[0];
  });
  return all;
}

/** A conversation with calls and functions out, for what comes to meet. */
function begin(all: Methods): { side: Side; session: PipeSession } {
  const session = new PipeSession();
  const side = new Side(session, { serve: (request) => all.serve(request), timeout: 0 });
  for (let i = 0; i < 8; i++) {
    // What they come to is chance; that each comes to an end is looked at below.
    side.tell("probe", (value: unknown) => value, { f: () => {} }).catch(() => {});
  }
  return { side, session };
}

for (const { name, corpus, hello, square, squared } of KINDS) {
  Deno.test(`mutated: 100,000 ${name} messages break nothing`, async () => {
    await withUntouchedPrototypes(async () => {
      const dice = new Dice(20_181_107);
      const all = methods();
      let slowest = 0;
      let answered = 0;
      let heap = 0;
      for (let done = 0; done < VOLUME; done += PER_CONVERSATION) {
        const { side, session } = begin(all);
        if (hello !== undefined) session.hear(hello);
        for (let i = 0; i < PER_CONVERSATION; i++) {
          const text = mutate(corpus, dice);
          const start = performance.now();
          session.hear(text);
          slowest = Math.max(slowest, performance.now() - start);
        }
        await Promise.resolve();
        session.hear(square);
        assert(session.isOpen, "the conversation goes on");
        assertEquals(session.sent.findLast((text) => text === squared), squared);
        answered += session.sent.length;
        session.close();
        await eventually(() => side.ends.length === 1);
        assertEquals(side.conversation.load.pending + side.conversation.load.callbacks, 0);
        if (done === VOLUME / 5) heap = await heapInUse();
      }
      assert(slowest < 10_000, `one message took ${slowest} ms`);
      assert(answered > VOLUME / 20, `only ${answered} were answered: the mutations are too wild`);
      const growth = await heapInUse() - heap;
      assert(growth < 4_000_000, `the heap has grown by ${growth} bytes`);
    });
  });
}

for (const isRaw of [false, true]) {
  Deno.test(`mutated: messages through ${isRaw ? "a raw WebSocket" : "SockJS"} break nothing`, async () => {
    await withUntouchedPrototypes(async () => {
      const dice = new Dice(isRaw ? 7 : 11);
      const kite = targetKite();
      await using server = await kite.listen();
      for (let done = 0; done < THROUGH_SOCKETS; done += PER_CONVERSATION) {
        await using wire = await Wire.open(server.url, isRaw);
        for (let i = 0; i < PER_CONVERSATION; i += 5) {
          wire.send(...Array.from({ length: 5 }, () => mutate(PLAIN, dice)));
          wire.sendCompact(
            ...Array.from({ length: 5 }, () => mutate(COMPACT, dice)).filter(isArray),
          );
        }
        const { arguments: [answer] } = await wire.call(990_990, "square", 7);
        assertEquals(answer, { error: null, result: 49 });
      }
      await eventually(() => kite.connections.size === 0);
    });
  });
}

Deno.test("mutated: frames end at most their own session", async () => {
  const dice = new Dice(3);
  const kite = targetKite();
  await using server = await kite.listen();
  await using witness = await Wire.open(server.url, false);
  const frames = requests.map(({ frame }) => frame);
  for (let done = 0; done < 60; done++) {
    await using wire = await Wire.open(server.url, false);
    for (let i = 0; i < 10; i++) wire.sendFrame(mutate(frames, dice));
  }
  assertEquals((await witness.call(1, "square", 7)).arguments[0].result, 49);
  await eventually(() => kite.connections.size === 1);
});

Deno.test("mutated: a client survives a server that answers with mutated messages", async () => {
  await withUntouchedPrototypes(async () => {
    const dice = new Dice(5);
    await using server = new ScriptedServer((connection, text) => {
      const { method } = JSON.parse(text);
      if (typeof method !== "string") return;
      for (let i = 0; i < 20; i++) {
        connection.send(mutate(PLAIN, dice));
        const compact = mutate(COMPACT, dice);
        if (isArray(compact)) connection.sendFrame(`a[${compact}]`);
      }
      if (method === "square") connection.send(answerText(responseIdOf(text), 49));
    });
    await using client = callingKite().newClient(server.url);
    await client.dial();
    const calls = Array.from(
      { length: 100 },
      () =>
        client.tellWith({ timeout: 300, callbacks: "call" }, "probe", (value: unknown) => value)
          .catch(() => {}),
    );
    await Promise.all(calls);
    assertEquals(await client.tell("square", 7), 49);
    await eventually(() => client.load.pending + client.load.callbacks === 0);
  });
});
