import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../src/protocol/errors.ts";
import { callingKite, targetKite } from "../security/kites.ts";
import { ScriptedServer } from "../security/scripted_server.ts";
import { Wire } from "../security/wire.ts";
import { eventually } from "../support/eventually.ts";

async function failure(call: Promise<unknown>): Promise<KiteError> {
  return await assertRejects(() => call, KiteError) as KiteError;
}

Deno.test("close: running calls finish, and new ones are refused", async () => {
  const kite = targetKite();
  const gate = Promise.withResolvers<string>();
  kite.handle("wait", () => gate.promise);
  const server = await kite.listen();
  await using client = callingKite().newClient(server.url);
  await client.dial();
  const running = client.tell("wait");
  await eventually(() => [...kite.connections][0]?.load.running === 1);
  const closing = server.close({ deadline: 5_000 });
  assertEquals(
    String(await failure(client.tell("square", 2))).split(" (")[0],
    "disconnect: the kite is closing",
  );
  gate.resolve("finished");
  assertEquals(await running, "finished");
  await closing;
  await eventually(() => client.state === "idle");
});

Deno.test("close: running calls are ended at the deadline", async () => {
  const kite = targetKite();
  let signal: AbortSignal | undefined;
  kite.handle("wait", (request) => {
    signal = request.signal;
    return new Promise(() => {});
  });
  const server = await kite.listen();
  await using client = callingKite().newClient(server.url);
  await client.dial();
  const running = client.tell("wait");
  await eventually(() => signal !== undefined);
  const start = performance.now();
  await server.close({ deadline: 50 });
  assertEquals((await failure(running)).type, "disconnect");
  assert(performance.now() - start < 3_000);
  await eventually(() => signal!.aborted);
});

Deno.test("close: refuses new sessions, and a second call has no effect", async () => {
  const kite = targetKite();
  const gate = Promise.withResolvers<string>();
  kite.handle("wait", () => gate.promise);
  const server = await kite.listen();
  await using wire = await Wire.open(server.url, true);
  const running = wire.call(1, "wait");
  await eventually(() => [...kite.connections][0]?.load.running === 1);
  const closing = [kite.close({ deadline: 5_000 }), kite.close(), server.close()];
  const refused = await fetch(`${server.url}/000/new/xhr`, { method: "POST" });
  assertEquals(refused.status, 503);
  await refused.body?.cancel();
  assertEquals((await wire.call(2, "square", 2)).arguments[0].error.message, "the kite is closing");
  assertEquals(kite.connections.size, 1);
  gate.resolve("finished");
  assertEquals((await running).arguments[0].result, "finished");
  await Promise.all(closing);
  assertEquals(kite.connections.size, 0);
  await using _again = await kite.listen();
});

Deno.test("a client waits between attempts if a server closes each connection immediately", async () => {
  await using server = new ScriptedServer(() => {}, (connection) => connection.close());
  const reconnect = { initialDelay: 40, factor: 2, jitter: 0, maxAttempts: 4 };
  await using client = callingKite().newClient(server.url, { reconnect });
  let attempts = 0;
  client.onGiveUp((end) => attempts = end.attempts);
  await client.dial();
  const start = performance.now();
  await eventually(() => attempts > 0);
  assertEquals([attempts, server.connections.length, client.state], [4, 5, "idle"]);
  assert(performance.now() - start > 40 + 80 + 160 + 320 - 5, "it waits longer each time");
});
