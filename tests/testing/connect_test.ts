import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Kite, KiteError, type KiteOptions } from "../../mod.ts";
import { type ConnectedKites, connectKites, createTestKeys } from "../../src/testing/mod.ts";
import { keepingLogger, targetKite } from "../security/kites.ts";

/** Two connected kites; both are closed with the returned stack. */
async function connect(
  stack: AsyncDisposableStack,
  options: Parameters<typeof connectKites>[2] = {},
  kiteOptions: KiteOptions = {},
): Promise<ConnectedKites & { readonly caller: Kite; readonly serving: Kite }> {
  const plain = { kiteKey: "", logger: keepingLogger(), ...kiteOptions };
  const caller = stack.use(new Kite("caller", "1.0.0", plain));
  const serving = stack.use(targetKite(kiteOptions));
  const kites = stack.use(await connectKites(caller, serving, options));
  return Object.assign(kites, { caller, serving });
}

for (const compact of [true, false]) {
  Deno.test(`connectKites: calls and callbacks go both ways, compact: ${compact}`, async () => {
    await using stack = new AsyncDisposableStack();
    const { client, connection, caller, serving } = await connect(stack, { compact });
    caller.handle("double", ({ args }) => args.one().number() * 2);
    serving.handle("count", async function ({ args }) {
      const each = args.one().function();
      for (const n of [1, 2, 3]) each(n);
      await Promise.resolve();
      return "counted";
    });
    const counted: unknown[] = [];
    assertEquals(await client.tell("count", (n: number) => counted.push(n)), "counted");
    assertEquals(counted, [1, 2, 3]);
    assertEquals(await client.tell("square", 5), 25);
    assertEquals(await connection.tell("double", 21), 42);
    assertEquals(connection.identity?.name, "caller");
    assertEquals([client.transport, connection.transport], ["custom", "custom"]);
    assertEquals(serving.connections.size, 1);
  });
}

Deno.test("connectKites: the kite that serves authenticates its caller", async () => {
  await using stack = new AsyncDisposableStack();
  const keys = await createTestKeys({ algorithm: "EdDSA" });
  const caller = stack.use(new Kite("caller", "1.0.0", { kiteKey: "" }));
  const serving = stack.use(
    new Kite("math", "1.0.0", {
      kiteKey: "",
      logger: keepingLogger(),
      kontrolUser: keys.kontrolUser,
      kontrolKey: keys.pair.publicKey,
    }),
  );
  serving.handle("whoami", ({ username }) => username);
  const authentication = { type: "token", key: await keys.token({ username: "alice" }) };
  const known = stack.use(await connectKites(caller, serving, { authentication }));
  assertEquals(await known.client.tell("whoami"), "alice");
  const unknown = stack.use(await connectKites(caller, serving));
  const error = await assertRejects(() => unknown.client.tell("whoami"), KiteError, "");
  assertEquals(error.type, "authenticationError");
});

Deno.test("connectKites: closing one end ends the other, and no connection remains", async () => {
  await using stack = new AsyncDisposableStack();
  const { client, connection, serving } = await connect(stack);
  const ends: unknown[] = [];
  connection.onDisconnect((info) => ends.push(info));
  await client.tell("square", 2);
  await client.close();
  await connection.close();
  assertEquals(ends, [{ code: 3000, reason: "Go away!" }]);
  assertEquals([client.state, serving.connections.size], ["closed", 0]);
});

Deno.test("connectKites: a lost connection fails its calls, and the client connects again", async () => {
  await using stack = new AsyncDisposableStack();
  const kites = await connect(stack, { reconnect: { initialDelay: 1 } });
  kites.serving.handle(
    "wait",
    ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(null))),
  );
  const first = kites.connection;
  const waiting = kites.client.tell("wait");
  const failed = assertRejects(() => waiting, KiteError, "connection lost: 1006");
  await kites.client.tell("square", 1);
  await kites.lose();
  await failed;
  assertEquals(await kites.client.tell("square", 3), 9);
  assert(kites.connection !== first);
  assertEquals(kites.serving.connections.size, 1);
});

Deno.test("connectKites: faults apply to one direction, also after a reconnection", async () => {
  await using stack = new AsyncDisposableStack();
  const kites = await connect(stack, { reconnect: { initialDelay: 1 } });
  const { client, toServing, toCaller } = kites;
  await client.tell("square", 1);
  toServing.drop();
  const lost = await assertRejects(() => client.tellWith({ timeout: 20 }, "square", 2), KiteError);
  assertEquals(lost.type, "timeout");
  assertEquals(await client.tell("square", 3), 9);
  toCaller.drop();
  await kites.lose();
  const late = await assertRejects(() => client.tellWith({ timeout: 500 }, "square", 4), KiteError);
  assertEquals(late.type, "timeout");
  assertEquals(toCaller.pending, 0);
  assertEquals(await client.tell("square", 5), 25);
});

Deno.test("connectKites: a message that arrives twice is answered once to its caller", async () => {
  await using stack = new AsyncDisposableStack();
  const { client, serving, toServing, toCaller } = await connect(stack);
  let calls = 0;
  serving.handle("count", () => ++calls);
  await client.tell("square", 1);
  toServing.duplicate();
  assertEquals(await client.tell("count"), 1);
  toCaller.duplicate();
  assertEquals(await client.tell("count"), 3);
  assertEquals(client.load.pending, 0);
});

Deno.test("connectKites: half a message fails its call alone", async () => {
  await using stack = new AsyncDisposableStack();
  const { client, toServing, toCaller } = await connect(stack);
  await client.tell("square", 1);
  for (const faults of [toServing, toCaller]) {
    faults.halve();
    const error = await assertRejects(
      () => client.tellWith({ timeout: 50 }, "square", 2),
      KiteError,
    );
    assert(["timeout", "invalidResponse"].includes(error.type), error.type);
    assertEquals(await client.tell("square", 3), 9);
  }
});

Deno.test("connectKites: answers in another order reach their own calls", async () => {
  await using stack = new AsyncDisposableStack();
  const { client, toCaller } = await connect(stack);
  await client.tell("square", 1);
  toCaller.reverse(3);
  const order: number[] = [];
  const calls = [2, 3, 4].map(async (n) => {
    const result = await client.tell<number>("square", n);
    order.push(n);
    return result;
  });
  assertEquals(await Promise.all(calls), [4, 9, 16]);
  assertEquals(order, [4, 3, 2]);
});

Deno.test("Kite.accept: refuses a session when the kite is closed, and beyond its limit", async () => {
  await using stack = new AsyncDisposableStack();
  const { caller, serving } = await connect(stack, {}, { limits: { sessions: 1 } });
  const full = await assertRejects(() => connectKites(caller, serving), KiteError);
  assertEquals(
    [full.type, full.message],
    ["limitError", "Cannot accept a session: there are 1 sessions (limit: sessions)"],
  );
  await serving.close();
  const closed = await assertRejects(() => connectKites(caller, serving), KiteError);
  assertEquals(
    [closed.type, closed.message],
    ["aborted", "Cannot accept a session: the kite is closed"],
  );
});

Deno.test("Kite.newClient: refuses a connect that is not a function", () => {
  const kite = new Kite("caller", "1.0.0", { kiteKey: "" });
  assertThrows(
    () => kite.newClient("memory:", { connect: "socket" as never }),
    KiteError,
    'Cannot use connect "socket": must be a function',
  );
});
