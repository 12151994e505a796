import { assert, assertEquals, assertRejects } from "@std/assert";
import type { KiteOptions } from "../../src/kite_options.ts";
import type { Kite } from "../../src/kite.ts";
import type { Client } from "../../src/client.ts";
import type { ClientOptions } from "../../src/client_options.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { callingKite, targetKite } from "../security/kites.ts";
import { eventually } from "../support/eventually.ts";

async function between(
  run: (kite: Kite, client: Client) => Promise<void>,
  options: KiteOptions = {},
  clientOptions: ClientOptions = {},
): Promise<void> {
  const kite = targetKite(options);
  await using server = await kite.listen();
  await using client = callingKite().newClient(server.url, clientOptions);
  await client.dial();
  await run(kite, client);
}

async function failure(call: Promise<unknown>): Promise<KiteError> {
  return await assertRejects(() => call, KiteError) as KiteError;
}

/** Adds hooks that note their turn. */
function noteAll(kite: Kite, order: string[]): void {
  kite.handle("chain", () => {
    order.push("handler");
    return "own";
  })
    .preHandle(() => void order.push("method pre"))
    .postHandle(() => void order.push("method post"))
    .finalFunc(() => void order.push("method final"));
  kite.preHandle(() => void order.push("kite pre"))
    .postHandle(() => void order.push("kite post"))
    .finalFunc(() => void order.push("kite final"));
}

const CHAIN = [
  "method pre",
  "kite pre",
  "handler",
  "method post",
  "kite post",
  "method final",
  "kite final",
];

Deno.test("hooks and handler run in the Go kite's order", () =>
  between(async (kite, client) => {
    const order: string[] = [];
    noteAll(kite, order);
    assertEquals(await client.tell("chain"), "own");
    assertEquals(order, CHAIN);
  }));

Deno.test("after an error, only final functions run", () =>
  between(async (kite, client) => {
    const order: string[] = [];
    noteAll(kite, order);
    kite.postHandle(() => {
      throw new KiteError("own", "on purpose", { code: "E1" });
    });
    const error = await failure(client.tell("chain"));
    assertEquals([error.type, error.message, error.code], ["own", "on purpose", "E1"]);
    assert(/^[0-9a-f]{16}$/.test(error.id));
    assertEquals(order, CHAIN);
    order.length = 0;
    kite.preHandle(() => Promise.reject(new Error("early")));
    assertEquals((await failure(client.tell("chain"))).message, "early");
    assertEquals(order, ["method pre", "kite pre", "method final", "kite final"]);
  }));

Deno.test("a throttled or unauthenticated call runs no hook and no handler", () =>
  between(async (kite, client) => {
    const order: string[] = [];
    noteAll(kite, order);
    const method = kite.handle("limited", () => order.push("handler")).throttle(60_000, 1);
    const refused = await failure(client.tell("limited"));
    assertEquals(refused.type, "authenticationError");
    method.disableAuthentication();
    await client.tell("limited");
    assertEquals(order.length, 4, "the kite's hooks and the handler");
    const throttled = await failure(client.tell("limited"));
    assertEquals(
      String(throttled),
      `requestLimitError: The maximum request rate is exceeded. (${throttled.id})`,
    );
    assertEquals(order.length, 4);
  }, { disableAuthentication: false }));

for (
  const [methodHandling, expected] of [["method", "own"], ["first", "pre"], ["latest", "post"]]
) {
  Deno.test(`methodHandling ${methodHandling} answers with what ${expected} gave`, () =>
    between(async (kite, client) => {
      kite.handle("m", () => "own")
        .preHandle(() => null).preHandle(() => "pre")
        .postHandle(() => "post").postHandle(() => undefined);
      assertEquals(await client.tell("m"), expected);
    }, { methodHandling: methodHandling as "method" }));
}

Deno.test("finalFunc: receives the outcome, and may change results and errors", () =>
  between(async (kite, client) => {
    const outcomes: unknown[] = [];
    kite.handle("ok", () => 1).finalFunc((_request, { result }) => {
      outcomes.push(result);
      throw new Error("turned");
    });
    kite.handle("bad", () => {
      throw new Error("bad");
    }).finalFunc((_request, { error }) => outcomes.push((error as Error).message) && "mended");
    assertEquals((await failure(client.tell("ok"))).message, "turned");
    assertEquals(await client.tell("bad"), "mended");
    assertEquals(outcomes, [1, "bad"]);
  }));

Deno.test("context: is shared by the hooks and the handler of one call", () =>
  between(async (kite, client) => {
    kite.preHandle(({ context }) => void context.set("n", (context.get("n") as number ?? 0) + 1));
    kite.handle("n", ({ context }) => context.get("n"));
    assertEquals([await client.tell("n"), await client.tell("n")], [1, 1]);
  }));

for (const concurrentCallbacks of [false, true]) {
  const what = concurrentCallbacks ? "at once" : "each after the one before";
  Deno.test(`with concurrentCallbacks ${concurrentCallbacks}, callbacks run ${what}`, () =>
    between(
      async (kite, client) => {
        kite.handle("count", ({ args }) => [1, 2, 3].forEach((n) => args.one().function()(n)));
        const order: string[] = [];
        await client.tell("count", async (n: number) => {
          order.push(`${n} begins`);
          await new Promise((resolve) => setTimeout(resolve, 5));
          order.push(`${n} ends`);
        });
        await eventually(() => order.length === 6);
        const begins = order.flatMap((entry, i) => entry.endsWith("begins") ? [i] : []);
        assertEquals(begins, concurrentCallbacks ? [0, 1, 2] : [0, 2, 4]);
      },
      {},
      { concurrentCallbacks },
    ));
}

Deno.test("functions work in both directions, at any depth, in results and in arguments of callbacks", () =>
  between(async (kite, client) => {
    kite.handle("counter", () => {
      let n = 0;
      return { add: (by: number, done: (n: number) => void) => done(n += by) };
    });
    const counter = await client.tell<{ add: (n: number, done: (n: number) => void) => void }>(
      "counter",
    );
    const seen: number[] = [];
    counter.add(2, (n) => void seen.push(n));
    counter.add(3, (n) => void seen.push(n));
    await eventually(() => seen.length === 2);
    assertEquals(seen, [2, 5]);
    const [connection] = kite.connections;
    assertEquals(await connection!.tell("kite.echo", [{ a: 1 }]), [{ a: 1 }]);
  }));

Deno.test("a function that occurs twice in one call can be called at both places", () =>
  between(async (kite, client) => {
    kite.handle("twice", ({ args }) => {
      for (const arg of args) arg.object().field("f").function()(arg.object().field("n").value);
    });
    const seen: unknown[] = [];
    const f = (n: unknown) => void seen.push(n);
    await client.tell("twice", { f, n: 1 }, { f, n: 2 });
    assertEquals(seen, [1, 2]);
  }));

Deno.test("methodNotFound suggests the nearest method after the words that peers match on", async () => {
  const kite = targetKite();
  await using server = await kite.listen();
  await using client = callingKite().newClient(server.url);
  await client.dial();
  const message = async (method: string): Promise<string> => {
    const error = await assertRejects(() => client.tell(method), KiteError) as KiteError;
    assertEquals(error.type, "methodNotFound");
    return error.message;
  };
  // cspell:ignore sqare
  assertEquals(await message("sqare"), "Method not found: sqare; did you mean square?");
  assertEquals(await message("kite.Ping"), "Method not found: kite.Ping; did you mean kite.ping?");
  assertEquals(await message("nothing like it"), "Method not found: nothing like it");
  assertEquals(await message("x".repeat(256)), `Method not found: ${"x".repeat(256)}`);
});

Deno.test("a handler cannot change the caller's username", () =>
  between(async (kite, client) => {
    const refused: boolean[] = [];
    kite.preHandle((request) => {
      const other = { ...request.kite, username: "mallory" };
      for (const change of [{ kite: other }, { username: "mallory" }, { isAuthenticated: true }]) {
        try {
          Object.assign(request, change);
          refused.push(false);
        } catch (error) {
          refused.push(error instanceof TypeError);
        }
      }
    });
    kite.handle("who", ({ kite, username, isAuthenticated }) => [
      kite.username,
      username,
      isAuthenticated,
    ]).disableAuthentication();
    const [kiteUser, username, isAuthenticated] = await client.tell<unknown[]>("who");
    assertEquals(refused, [true, true, true]);
    assertEquals(kiteUser, username);
    assert(username !== "mallory");
    assertEquals(isAuthenticated, false);
  }));

Deno.test("close of either side resolves when the connection has ended, and may be called again", () =>
  between(async (kite, client) => {
    const [connection] = kite.connections;
    await connection!.close(3001, "first");
    await connection!.close();
    assertEquals(kite.connections.size, 0);
    await eventually(() => client.state === "idle");

    await client.dial();
    await client.close();
    assertEquals([client.state, client.transport], ["closed", undefined]);
    await client.close();
    await eventually(() => kite.connections.size === 0);
  }));
