import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Client } from "../../src/client.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { eventually } from "../support/eventually.ts";
import answers from "../vectors/hostile_answers.json" with { type: "json" };
import requests from "../vectors/hostile_requests.json" with { type: "json" };
import { callingKite, targetKite } from "./kites.ts";
import { withUntouchedPrototypes } from "./prototypes.ts";
import {
  answerText,
  responseIdOf,
  type ScriptedConnection,
  ScriptedServer,
} from "./scripted_server.ts";

/** What a peer answers, `$CB` and `$FN` for the ids of the call, and what the call must come to. */
interface Vector {
  readonly name: string;
  readonly messages: readonly string[];
  readonly outcome: {
    readonly result?: unknown;
    readonly error?: string;
    /** The arguments of each call of the function that was passed. */
    readonly called?: unknown[][];
  };
}

const ANSWERS = answers as readonly Vector[];
const TRANSPORTS = ["WebSocket", "rawWebSocket"] as const;

/** Answers `probe` with the vector that its first argument names, and `square` rightly. */
function answer(connection: ScriptedConnection, text: string): void {
  const message = JSON.parse(text);
  if (typeof message.method !== "string") return;
  const id = responseIdOf(text);
  const [first] = message.arguments[0].withArgs;
  if (message.method === "square") return connection.send(answerText(id, first ** 2));
  if (message.method !== "probe") return;
  const functionId = Object.keys(message.callbacks).find((key) => Number(key) !== id);
  const { messages } = ANSWERS.find(({ name }) => name === first)!;
  connection.send(
    ...messages.map((each) => each.replace("$CB", String(id)).replace("$FN", functionId!)),
  );
}

async function dialled(url: string, transport: "WebSocket" | "rawWebSocket"): Promise<Client> {
  const client = callingKite().newClient(url, { transport });
  await client.dial();
  return client;
}

async function outcomeOf(client: Client, vector: Vector): Promise<Vector["outcome"]> {
  const called: unknown[][] = [];
  const listener = (...args: unknown[]) => void called.push(args);
  // Only where no answer is to be found the bound is reached.
  const timeout = vector.outcome.error?.startsWith("timeout") ? 80 : 5_000;
  const options = { timeout, callbacks: "call" } as const;
  const outcome = await client.tellWith(options, "probe", vector.name, listener).then(
    (result) => result === undefined ? {} : { result },
    (error: KiteError) => ({ error: String(error) }),
  );
  return called.length === 0 ? outcome : { ...outcome, called };
}

for (const transport of TRANSPORTS) {
  Deno.test(`a ${transport} client reads every shape of answer, and survives the rest`, async () => {
    await withUntouchedPrototypes(async () => {
      await using server = new ScriptedServer(answer);
      const url = transport === "rawWebSocket" ? server.rawUrl : server.url;
      await using client = await dialled(url, transport);
      await Promise.all(ANSWERS.map(async (vector) => {
        assertEquals(await outcomeOf(client, vector), vector.outcome, vector.name);
      }));
      assertEquals(await client.tell("square", 7), 49);
      assertEquals(client.load, { pending: 0, callbacks: 0, running: 0, streams: 0, waiting: 0 });
    });
  });

  Deno.test(`a ${transport} client serves its server's hostile requests like any other`, async () => {
    await withUntouchedPrototypes(async () => {
      const vectors = requests.filter((vector) => !("closes" in vector));
      const texts = vectors.flatMap(({ messages }) => messages);
      await using server = new ScriptedServer(answer, (connection) => connection.send(...texts));
      const url = transport === "rawWebSocket" ? server.rawUrl : server.url;
      await using kite = targetKite();
      const client = kite.newClient(url, { transport });
      await client.dial();
      assertEquals(await client.tell("square", 7), 49);
      const [connection] = server.connections;
      const answered = vectors.flatMap(({ answers }) => Object.keys(answers));
      // Each is answered, and one by the invocation of a function beside.
      await eventually(() => {
        const ids = connection!.messages.map((text) => JSON.parse(text).method);
        return ids.filter((id) => typeof id === "number").length >= answered.length;
      });
      assertEquals(client.load, { pending: 0, callbacks: 0, running: 0, streams: 0, waiting: 0 });
    });
  });
}

const FRAMES = ["x", "a", "a[", "a[1]", 'a{"a":1}', "c", "c[]", "m5", "ab", "[]", '["x"]', "null"];

Deno.test("frames that are no SockJS end the session, and its calls with it", async () => {
  for (const frame of FRAMES) {
    await using server = new ScriptedServer((connection) => connection.sendFrame(frame));
    await using client = await dialled(server.url, "WebSocket");
    const ended = new Promise<number>((resolve) =>
      void client.onDisconnect(({ code }) => resolve(code))
    );
    const error = await assertRejects(() => client.tell("probe"), KiteError) as KiteError;
    const message =
      "disconnect: Remote kite has disconnected: connection closed: 1002, broken frame";
    assertEquals(String(error), message, frame);
    assertEquals(await ended, 1002, frame);
    assertEquals([client.state, client.load.pending], ["idle", 0]);
  }
});

Deno.test("frames without messages are ignored", async () => {
  const odd = ["h", "hhhh", "o", "a[]", 'm"null"', 'a["",""]', 'a["{bad"]'];
  await using server = new ScriptedServer((connection, text) => {
    for (const frame of odd) connection.sendFrame(frame);
    answer(connection, text);
  });
  await using client = await dialled(server.url, "WebSocket");
  assertEquals(await client.tell("square", 3), 9);
  assertEquals(await client.tell("square", 4), 16);
});

Deno.test("a close frame fails the calls that run, with its code for those who listen", async () => {
  await using server = new ScriptedServer((connection) =>
    connection.sendFrame('c[3000,"Go away!"]')
  );
  await using client = await dialled(server.url, "WebSocket");
  const ends: unknown[] = [];
  client.onDisconnect((end) => ends.push(end));
  await assertRejects(() => client.tell("probe"), KiteError, "Remote kite has disconnected");
  await eventually(() => ends.length > 0);
  assertEquals(ends, [{ code: 3000, reason: "Go away!", willRedial: false }]);
});

Deno.test("a server that never answers costs no more than the timeout", async () => {
  await using server = new ScriptedServer(() => {});
  await using client = await dialled(server.url, "WebSocket");
  const start = performance.now();
  const calls = Array.from(
    { length: 50 },
    (_, i) =>
      client.tellWith({ timeout: 40 }, "probe", i, () => {}).catch((error: KiteError) =>
        error.type
      ),
  );
  assertEquals(new Set(await Promise.all(calls)), new Set(["timeout"]));
  assert(performance.now() - start < 2_000);
  assertEquals(client.load, { pending: 0, callbacks: 0, running: 0, streams: 0, waiting: 0 });
});

Deno.test("answers to calls that have ended are ignored", async () => {
  const late: (() => void)[] = [];
  await using server = new ScriptedServer((connection, text) => {
    const { method } = JSON.parse(text);
    if (method === "late") late.push(() => connection.send(answerText(responseIdOf(text), "late")));
    else answer(connection, text);
  });
  await using client = await dialled(server.url, "WebSocket");
  await assertRejects(() => client.tellWith({ timeout: 30 }, "late"), KiteError, "No response");
  for (const send of late) send();
  assertEquals(await client.tell("square", 5), 25);
});
