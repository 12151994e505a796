import { assert, assertEquals } from "@std/assert";
import { eventually } from "../support/eventually.ts";
import vectors from "../vectors/hostile_requests.json" with { type: "json" };
import { compactTexts, isArray } from "./compact_text.ts";
import { targetKite } from "./kites.ts";
import { withUntouchedPrototypes } from "./prototypes.ts";
import { Wire } from "./wire.ts";

/** Frames under which the Go kite or kite.js died, went silent or hung, and what is right. */
interface Vector {
  readonly name: string;
  /** The SockJS frame, and the messages in it. */
  readonly frame: string;
  readonly messages: readonly string[];
  /** What each response callback must hear. */
  readonly answers: Readonly<Record<string, { result?: unknown; error?: string }>>;
  readonly binary?: boolean;
  /** The frame is no SockJS: the session ends. */
  readonly closes?: boolean;
}

const VECTORS = vectors as unknown as readonly Vector[];
const LAST = 990;

async function checkAnswers(wire: Wire, vector: Vector): Promise<void> {
  for (const [id, expected] of Object.entries(vector.answers)) {
    const { arguments: args } = await wire.answer(Number(id));
    assertEquals(args.length, 1);
    assertEquals(Object.keys(args[0]).sort(), ["error", "result"]);
    if (expected.error !== undefined) {
      assertEquals(args[0].error.type, expected.error, JSON.stringify(args));
      assert(args[0].error.message.length > 0);
    } else if ("result" in expected) {
      assertEquals(args[0], { error: null, result: expected.result });
    }
  }
}

for (const isRaw of [false, true]) {
  const transport = isRaw ? "a raw WebSocket" : "SockJS";
  Deno.test(`survives every hostile request over ${transport} and goes on serving`, async () => {
    await withUntouchedPrototypes(async () => {
      const kite = targetKite();
      await using server = await kite.listen();
      for (const vector of VECTORS) {
        await using wire = await Wire.open(server.url, isRaw);
        try {
          if (isRaw) wire.send(...vector.messages);
          else {wire.sendFrame(
              vector.binary ? new TextEncoder().encode(vector.frame) : vector.frame,
            );}
          if (vector.closes === true && !isRaw) {
            await wire.ended;
            continue;
          }
          // The last call goes through the same connection, after everything before it.
          const { arguments: [answer] } = await wire.call(LAST, "square", 7);
          assertEquals(answer, { error: null, result: 49 });
          await checkAnswers(wire, vector);
        } catch (error) {
          throw new Error(`${vector.name}: ${error}`, { cause: error });
        }
      }
      await eventually(() => kite.connections.size === 0);
    });
  });
}

for (const isRaw of [false, true]) {
  const transport = isRaw ? "a raw WebSocket" : "SockJS";
  Deno.test(`survives every hostile request as a compact message over ${transport}`, async () => {
    await withUntouchedPrototypes(async () => {
      const kite = targetKite();
      await using server = await kite.listen();
      for (const vector of VECTORS) {
        if (vector.closes === true) continue;
        await using wire = await Wire.open(server.url, isRaw);
        try {
          wire.sendCompact(...vector.messages.flatMap(compactTexts).filter(isArray));
          const { arguments: [answer] } = await wire.call(LAST, "square", 7);
          assertEquals(answer, { error: null, result: 49 });
        } catch (error) {
          throw new Error(`${vector.name}: ${error}`, { cause: error });
        }
      }
      await eventually(() => kite.connections.size === 0);
    });
  });
}

Deno.test("all hostile requests in one connection, in one frame, are each answered", async () => {
  const kite = targetKite();
  await using server = await kite.listen();
  await using wire = await Wire.open(server.url, false);
  const texts = VECTORS.filter(({ binary, closes }) => !binary && !closes)
    .flatMap(({ messages }) => [...messages]);
  wire.send(...texts, ...texts);
  const { arguments: [answer] } = await wire.call(LAST, "square", 7);
  assertEquals(answer, { error: null, result: 49 });
  const [connection] = kite.connections;
  assertEquals(connection!.load, { pending: 0, callbacks: 0, running: 0, streams: 0 });
});

Deno.test("a frame that is no SockJS ends that session and no other", async () => {
  const kite = targetKite();
  await using server = await kite.listen();
  await using other = await Wire.open(server.url, false);
  for (const frame of ["not json", "[1]", '{"a":1}', '["a",null]', "[", "5", "null"]) {
    await using wire = await Wire.open(server.url, false);
    wire.sendFrame(frame);
    await wire.ended;
    assertEquals((await other.call(1, "square", 3)).arguments[0].result, 9);
    other.messages.length = 0;
  }
});

Deno.test("messages that come before the greeting was read are served", async () => {
  const kite = targetKite();
  await using server = await kite.listen();
  const socket = new WebSocket(`${server.url.replace("http", "ws")}/000/early/websocket`);
  const answer = Promise.withResolvers<string>();
  const frames: string[] = [];
  socket.onmessage = ({ data }) => frames.push(data) === 2 && answer.resolve(data);
  socket.onopen = () => {
    socket.send(JSON.stringify(VECTORS.find(({ name }) => name === "go no-kite")!.messages));
  };
  assertEquals(JSON.parse((await answer.promise).slice(1)), [
    '{"method":0,"arguments":[{"error":null,"result":36}],"callbacks":{}}',
  ]);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
});
