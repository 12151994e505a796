import { assert, assertEquals, assertRejects } from "@std/assert";
import type { Client } from "../../src/client.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { callingKite, keepingLogger, targetKite } from "../security/kites.ts";
import { answerText, responseIdOf, ScriptedServer } from "../security/scripted_server.ts";
import { eventually } from "../support/eventually.ts";
import { freePort } from "../support/ports.ts";

const FAST = { initialDelay: 5, maxDelay: 20 };

/** The events that a client's listeners receive, in order. */
function history(client: Client): string[] {
  const events: string[] = [];
  client.onConnect(() => events.push(`connect ${client.transport}`));
  client.onDisconnect(({ willRedial }) => events.push(`disconnect ${willRedial}`));
  client.onGiveUp(({ attempts }) => events.push(`giveUp ${attempts}`));
  return events;
}

async function failure(call: Promise<unknown>): Promise<string> {
  return String(await assertRejects(() => call, KiteError));
}

Deno.test("a client reconnects to a restarted kite, and calls made meanwhile wait", async () => {
  const port = freePort();
  const first = await targetKite({ port }).listen();
  await using client = callingKite().newClient(first.url, { reconnect: FAST });
  const events = history(client);
  await client.dial();
  await first.close({ deadline: 0 });
  await eventually(() => client.state === "redialling");
  const waiting = client.tell("square", 5);
  assertEquals(client.load.waiting, 1);
  await using _second = await targetKite({ port }).listen();
  assertEquals(await waiting, 25);
  assertEquals(events, ["connect WebSocket", "disconnect true", "connect WebSocket"]);
});

Deno.test('whileDown "fail": calls without a connection fail immediately', async () => {
  const kite = callingKite();
  const url = `http://127.0.0.1:${freePort()}/kite`;
  await using client = kite.newClient(url, { reconnect: FAST, whileDown: "fail" });
  const notConnected = `disconnect: Not connected to ${url}: `;
  assertEquals(await failure(client.tell("square", 1)), `${notConnected}dial first`);
  const dialling = client.dialForever();
  assertEquals(
    await failure(client.tell("square", 1)),
    `${notConnected}it is being dialled`,
  );
  client.close();
  await assertRejects(() => dialling, KiteError);
});

Deno.test("dialForever: succeeds as soon as a server listens", async () => {
  const port = freePort();
  await using client = callingKite().newClient(`http://127.0.0.1:${port}/kite`, {
    reconnect: FAST,
  });
  const attempts: number[] = [];
  client.onDialError(({ attempt, error }) => {
    assertEquals(error.type, "sendError");
    attempts.push(attempt);
  });
  const dialling = client.dialForever();
  const early = client.tell("square", 6);
  await eventually(() => attempts.length >= 3);
  await using _server = await targetKite({ port }).listen();
  await dialling;
  assertEquals(await early, 36);
  assertEquals(attempts.slice(0, 3), [1, 2, 3]);
});

Deno.test("maxAttempts: the client gives up, reports it, and can be dialled again", async () => {
  const port = freePort();
  const options = { reconnect: { ...FAST, maxAttempts: 2 } };
  await using client = callingKite().newClient(`http://127.0.0.1:${port}/kite`, options);
  const events = history(client);
  const waiting = client.dialForever().catch((error: KiteError) => error.type);
  const call = client.tell("square", 1);
  const error = await assertRejects(() => call, KiteError) as KiteError;
  const url = `http://127.0.0.1:${port}/kite`;
  assert(error.message.startsWith(`Not connected to ${url}: Cannot reach 127.0.0.1:${port}: `));
  assertEquals([error.type, error.method, error.url], ["disconnect", "square", url]);
  assertEquals((error.cause as KiteError).type, "sendError");
  assertEquals([await waiting, events, client.state], ["sendError", ["giveUp 2"], "idle"]);
  await using _server = await targetKite({ port }).listen();
  await client.dial();
  assertEquals(await client.tell("square", 3), 9);
});

Deno.test("dial: concurrent calls share one attempt, and an open client makes none", async () => {
  const kite = targetKite();
  await using server = await kite.listen();
  await using client = callingKite().newClient(server.url);
  await Promise.all([
    client.dial(),
    client.dial(),
    client.dialForever(),
    client.dial({ timeout: 500 }),
  ]);
  await client.dial();
  assertEquals(kite.connections.size, 1);
});

Deno.test("dial: a failed, aborted or slow attempt rejects with the reason", async () => {
  const kite = callingKite();
  const nowhere = kite.newClient(`http://127.0.0.1:${freePort()}/kite`);
  assert((await failure(nowhere.dial())).startsWith("sendError: Cannot reach 127.0.0.1:"));
  using deaf = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const url = `http://127.0.0.1:${deaf.addr.port}/kite`;
  const message = `Cannot reach ${url}: no session within 40 ms`;
  await assertRejects(() => kite.newClient(url).dial({ timeout: 40 }), KiteError, message);
  const controller = new AbortController();
  const dialling = kite.newClient(url).dial({ signal: controller.signal });
  controller.abort();
  assert((await failure(dialling)).startsWith("aborted: "));
  const forever = kite.newClient(url).dialForever({ signal: AbortSignal.abort() });
  assert((await failure(forever)).startsWith("aborted: "));
  for await (const connection of deaf) {
    connection.close();
    break;
  }
});

for (const transport of ["WebSocket", "XHRPolling"] as const) {
  Deno.test(`over ${transport}, calls after a lost connection tell how it ended`, async () => {
    const kite = targetKite();
    await using server = await kite.listen();
    await using client = callingKite().newClient(server.url, { transport });
    await client.dial();
    const gone = new Promise<void>((resolve) => void client.onDisconnect(() => resolve()));
    for (const connection of kite.connections) connection.close(4001, "maintenance");
    await gone;
    assertEquals(
      await failure(client.tell("square", 2)),
      `disconnect: Not connected to ${server.url}: connection closed: 4001, maintenance`,
    );
  });
}

Deno.test("a call makes a waiting client redial immediately", async () => {
  const port = freePort();
  const reconnect = { initialDelay: 600_000, maxDelay: 600_000, jitter: 0 };
  await using client = callingKite().newClient(`http://127.0.0.1:${port}/kite`, { reconnect });
  const failed = new Promise<void>((resolve) => void client.onDialError(() => resolve()));
  const dialling = client.dialForever();
  await failed;
  await using _server = await targetKite({ port }).listen();
  let answer: unknown;
  // A try that has failed just now is not repeated at once.
  await eventually(() => {
    void client.tell("square", 3).then((result) => answer ??= result, () => {});
    return client.state === "open";
  }, { withinMs: 10_000 });
  await dialling;
  await eventually(() => answer === 9);
});

Deno.test("close is idempotent and final", async () => {
  await using server = await targetKite().listen();
  const client = callingKite().newClient(server.url, { reconnect: FAST });
  const events = history(client);
  await client.dial();
  const call = client.tell("square", 2);
  client.close();
  client.close();
  assertEquals(
    await failure(call),
    "disconnect: Remote kite has disconnected: connection closed: 3000, Go away!",
  );
  await client[Symbol.asyncDispose]();
  await eventually(() => events.length === 2);
  await client[Symbol.asyncDispose]();
  assertEquals(events, ["connect WebSocket", "disconnect false"]);
  assertEquals(client.state, "closed");
  const closed = `disconnect: Not connected to ${server.url}: the client was closed`;
  assertEquals(await failure(client.tell("square", 2)), closed);
  assertEquals(await failure(client.dial()), closed);
  assertEquals(await failure(client.dialForever()), closed);
  callingKite().newClient(server.url).close();
});

Deno.test("aborting a call does not end the connection", async () => {
  const kite = targetKite();
  kite.handle("never", () => new Promise(() => {}));
  await using server = await kite.listen();
  await using client = callingKite().newClient(server.url);
  await client.dial();
  const controller = new AbortController();
  const call = client.tellWith({ signal: controller.signal, timeout: 0 }, "never", () => {});
  const reason = new Error("enough");
  controller.abort(reason);
  const error = await assertRejects(() => call, KiteError) as KiteError;
  assertEquals([String(error), error.cause], [
    'aborted: Cannot call "never": the signal was aborted',
    reason,
  ]);
  const options = { signal: controller.signal };
  assertEquals((await failure(client.tellWith(options, "square", 1))).split(":")[0], "aborted");
  assertEquals(await client.tell("square", 4), 16);
  assertEquals(client.load, { pending: 0, callbacks: 0, running: 0, streams: 0, waiting: 0 });
});

Deno.test("a listener that throws has no effect on others", async () => {
  const logger = keepingLogger();
  const kite = targetKite({ logger });
  const seen: string[] = [];
  kite.onConnect(() => {
    throw new Error("on purpose");
  });
  kite.onConnect(() => seen.push("connect"));
  kite.onFirstRequest(() => Promise.reject(new Error("on purpose")));
  kite.onFirstRequest(({ method }) => seen.push(`first ${method}`));
  kite.onDisconnect(() => {
    throw new Error("on purpose");
  });
  kite.onDisconnect(() => seen.push("disconnect"));
  await using server = await kite.listen();
  {
    await using client = callingKite().newClient(server.url);
    client.onConnect(() => {
      throw new Error("on purpose");
    });
    client.onDisconnect(() => {
      throw new Error("on purpose");
    });
    await client.dial();
    assertEquals(await client.tell("square", 4), 16);
    assertEquals(await client.tell("square", 5), 25);
  }
  await eventually(() => seen.length === 3);
  assertEquals(seen, ["connect", "first square", "disconnect"]);
  assert(logger.lines.length >= 3, "each is logged");
});

Deno.test("onTokenExpire: is called for an answer that the token is expired, and the call fails", async () => {
  let isExpired = true;
  await using server = new ScriptedServer((connection, text) => {
    const id = responseIdOf(text);
    const error = { type: "authenticationError", message: "token: token is expired by 3s" };
    connection.send(
      isExpired ? JSON.stringify({ method: id, arguments: [{ error }] }) : answerText(id, "fine"),
    );
  });
  const authentication = { type: "token", key: "old" };
  await using client = callingKite().newClient(server.url, { authentication });
  await client.dial();
  const events: string[] = [];
  client.onTokenExpire(() => {
    events.push("expire");
    isExpired = false;
    client.authentication = { type: "token", key: "new" };
  });
  client.onTokenRenew(({ key }) => events.push(`renew ${key}`));
  const message = "authenticationError: token: token is expired by 3s";
  assertEquals(await failure(client.tell("m")), message);
  assertEquals([await client.tell("m"), events], ["fine", ["expire", "renew new"]]);
  const shown = server.connections[0]!.messages.map((text) =>
    JSON.parse(text).arguments[0].authentication.key
  );
  assertEquals(shown, ["old", "new"]);
});

Deno.test("calls of one turn are sent as one frame, in order", async () => {
  await using server = new ScriptedServer((connection, text) =>
    connection.send(answerText(responseIdOf(text), JSON.parse(text).method))
  );
  await using client = callingKite().newClient(server.url);
  await client.dial();
  const names = ["a", "b", "c", "d"];
  assertEquals(await Promise.all(names.map((name) => client.tell(name))), names);
  const [connection] = server.connections;
  assertEquals(connection!.frames.length, 1);
  assertEquals(connection!.messages.map((text) => JSON.parse(text).method), names);
  await client.tell("e");
  assertEquals(connection!.frames.length, 2);
});

Deno.test("ids continue after a reconnect, so that a late answer matches no new call", async () => {
  const ids: number[] = [];
  await using server = new ScriptedServer((connection, text) => {
    ids.push(responseIdOf(text));
    if (ids.length === 2) return connection.close();
    for (const id of ids) connection.send(answerText(id, id));
  });
  await using client = callingKite().newClient(server.url, { reconnect: FAST });
  await client.dial();
  assertEquals(await client.tell("m"), 0);
  const ended = "disconnect: Remote kite has disconnected: connection closed: 1000";
  assertEquals(await failure(client.tell("m")), ended);
  assertEquals(await client.tell("m"), 2);
  assertEquals(ids, [0, 1, 2]);
});
