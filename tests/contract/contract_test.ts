import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import { callback, contract, Kite, KiteError, method } from "../../mod.ts";
import type { Client, Implementation, KiteOptions } from "../../mod.ts";

const OPTIONS: KiteOptions = { ip: "127.0.0.1", port: 0, logLevel: "FATAL" };

const math = contract({
  square: method({ args: [z.number()], result: z.number() }),
  divide: method({ args: [z.number(), z.number().optional()], result: z.number() }),
  count: method({ args: [z.number(), callback<[n: number]>()] }),
  whoami: method({ args: [], result: z.object({ name: z.string(), username: z.string() }) }),
  plain: method<[a: number, b: number], number>(),
});

const implementation: Implementation<typeof math> = {
  square: (n) => n ** 2,
  divide: (a, b = 2) => a / b,
  count: async (to, tell) => {
    for (let n = 1; n <= to; n++) await tell(n);
  },
  whoami: (request) => ({ name: request.kite.name, username: request.username }),
  plain: (a, b) => a + b,
};

async function withKite(
  run: (kite: Kite, remote: Client) => Promise<void>,
  options: KiteOptions = {},
): Promise<void> {
  await using kite = new Kite("math", "1.0.0", {
    ...OPTIONS,
    disableAuthentication: true,
    ...options,
  });
  const server = await kite.listen();
  await using caller = new Kite("exp2", "1.0.0", { ...OPTIONS, username: "ada" });
  const remote = caller.newClient(server.url);
  await remote.dial();
  await run(kite, remote);
}

Deno.test("Client.as() calls the methods of a contract with their types", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(math, implementation);
    const api = remote.as(math);
    const squared: number = await api.square(4);
    assertEquals(squared, 16);
    assertEquals(await api.divide(10), 5);
    assertEquals(await api.divide(10, 5), 2);
    assertEquals(await api.plain(1, 2), 3);
    assertEquals(await api.whoami(), { name: "exp2", username: "ada" });
    const counted: number[] = [];
    await api.count(3, (n) => void counted.push(n));
    assertEquals(counted, [1, 2, 3]);
  });
});

Deno.test("Client.as() takes options after the declared arguments", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(math, { ...implementation, square: () => new Promise<number>(() => {}) });
    const api = remote.as(math);
    await assertRejects(() => api.square(4, { timeout: 20 }), KiteError, "No response");
    await assertRejects(() => api.square(4, { signal: AbortSignal.abort() }), KiteError);
    await assertRejects(
      () => remote.as(math, { timeout: 20 }).square(4),
      KiteError,
      "No response",
    );
    await assertRejects(
      async () => await (api.square as (...args: unknown[]) => Promise<number>)(4, 5),
      KiteError,
      'Cannot call "square": it takes 1 argument, and then an object of options',
    );
  });
});

Deno.test("Kite.implement() refuses wrong arguments with an argumentError that names them", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(math, implementation);
    const error = await assertRejects(
      () => remote.tell("square", "four"),
      KiteError,
      'Cannot call "square": argument 1: ',
    );
    assertEquals(error.type, "argumentError");
  });
});

Deno.test("Kite.implement() checks the caller before the arguments", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(math, implementation);
    const error = await assertRejects(() => remote.tell("square", "four"), KiteError);
    assertEquals(error.type, "authenticationError");
  }, { disableAuthentication: false });
});

Deno.test("Kite.implement() lets a newer caller pass more arguments and properties", async () => {
  const greet = contract({
    greet: method({ args: [z.object({ name: z.string() })], result: z.string() }),
  });
  await withKite(async (kite, remote) => {
    kite.implement(greet, { greet: ({ name }, request) => `${name} ${request.method}` });
    assertEquals(await remote.tell("greet", { name: "ada", age: 36 }, "more"), "ada greet");
  });
});

Deno.test("Kite.implement() returns the methods, for hooks, throttling and authentication", async () => {
  const seen: string[] = [];
  await withKite(async (kite, remote) => {
    const { square, plain } = kite.implement(math, implementation);
    square.disableAuthentication().preHandle(({ method }) => void seen.push(method));
    plain.disableAuthentication().throttle(60_000, 1);
    assertEquals(await remote.as(math).square(3), 9);
    assertEquals(seen, ["square"]);
    await remote.as(math).plain(1, 2);
    await assertRejects(() => remote.as(math).plain(1, 2), KiteError, "maximum request rate");
    await assertRejects(() => remote.as(math).whoami(), KiteError, "No authentication");
  }, { disableAuthentication: false });
});

Deno.test("Kite.implement() serves two contracts, and an instance of a class", async () => {
  class Greeter {
    #greeting = "hello";
    greet(name: string): string {
      return `${this.#greeting}, ${name}`;
    }
  }
  const greeter = contract({ greet: method({ args: [z.string()], result: z.string() }) });
  await withKite(async (kite, remote) => {
    kite.implement(math, implementation);
    kite.implement(greeter, new Greeter());
    assertEquals(await remote.as(greeter).greet("ada"), "hello, ada");
    assertEquals(await remote.as(math).square(2), 4);
  });
});

Deno.test("Kite.implement() refuses a missing function and one that is not in the contract", () => {
  const kite = new Kite("math", "1.0.0", OPTIONS);
  assertThrows(
    () => kite.implement(math, { ...implementation, square: undefined as never }),
    KiteError,
    'Cannot implement "square": must be a function',
  );
  const more = { ...implementation, cube: (n: number) => n ** 3 };
  assertThrows(
    () => kite.implement(math, more),
    KiteError,
    'Cannot implement "cube": it is not in the contract',
  );
});

Deno.test("Kite.implement({ validateResults }) reports a wrong result as the kite's own fault", async () => {
  await withKite(async (kite, remote) => {
    const wrong = { ...implementation, square: () => "four" as unknown as number };
    kite.implement(math, wrong, { validateResults: true });
    const error = await assertRejects(
      () => remote.as(math).square(2),
      KiteError,
      'Cannot return from "square": result: ',
    );
    assertEquals(error.type, "genericError");
    assertEquals(await remote.as(math).divide(4), 2);
  });
});

Deno.test("Client.as({ validateResults }) refuses a wrong answer", async () => {
  await withKite(async (kite, remote) => {
    kite.handle("square", () => "four");
    const error = await assertRejects(
      () => remote.as(math, { validateResults: true }).square(2),
      KiteError,
      'Cannot use the answer of "square": result: ',
    );
    assertEquals(error.type, "invalidResponse");
  });
});

Deno.test("request.client.as() calls a contract of the caller", async () => {
  await withKite(async (kite, remote) => {
    kite.handle("callBack", async ({ client }) => await client.as(math).square(7));
    const caller = new Kite("page", "1.0.0", OPTIONS);
    caller.implement(math, implementation);
    await using client = caller.newClient(remote.url);
    await client.dial();
    assertEquals(await client.tell("callBack"), 49);
  });
});

Deno.test("Kite.handle() checks arguments against schemas", async () => {
  await withKite(async (kite, remote) => {
    kite.handle("square", { args: [z.number()] }, (n) => n ** 2);
    assertEquals(await remote.tell("square", 5), 25);
    await assertRejects(() => remote.tell("square", {}), KiteError, 'Cannot call "square"');
  });
});

Deno.test("method() and contract() refuse what is not a schema or a method", () => {
  assertThrows(
    () => method({ args: [{} as never] }),
    KiteError,
    "Cannot make a method: args[0] must be a schema that follows Standard Schema",
  );
  assertThrows(
    () => method({ result: z.number(), items: z.number() }),
    KiteError,
    "Cannot make a method: give either result or items",
  );
  assertThrows(
    () => contract({ square: (() => 1) as never }),
    KiteError,
    'Cannot use "square" in a contract: must be a method(…)',
  );
});

Deno.test("kite.describe answers the schemas of the methods that a caller may see", async () => {
  await withKite(async (kite, remote) => {
    kite.implement(math, implementation).square.disableAuthentication();
    const { methods } = await remote.tell<{ methods: { name: string }[] }>("kite.describe");
    const names = methods.map(({ name }) => name);
    assertEquals(names.includes("square"), true);
    assertEquals(names.includes("divide"), false);
    assertEquals(methods.find(({ name }) => name === "square"), {
      name: "square",
      authentication: false,
      args: [{ type: "number" }],
      result: { type: "number" },
    } as unknown as { name: string });
  }, { disableAuthentication: false });
});

Deno.test("tellWith({ idempotent }) repeats a call whose connection was lost, and no other", async () => {
  await using kite = new Kite("flaky", "1.0.0", { ...OPTIONS, disableAuthentication: true });
  let calls = 0;
  kite.handle("work", ({ client }) => {
    if (++calls % 2 === 1) {
      client.close();
      return new Promise(() => {});
    }
    return calls;
  });
  const server = await kite.listen();
  await using caller = new Kite("caller", "1.0.0", OPTIONS);
  const remote = caller.newClient(server.url, { reconnect: { initialDelay: 1, jitter: 0 } });
  await remote.dial();
  assertEquals(await remote.tellWith({ idempotent: true }, "work"), 2);
  const error = await assertRejects(() => remote.tell("work"), KiteError);
  assertEquals([error.type, calls], ["disconnect", 3]);
});

const STREAMS: Record<string, () => unknown> = {
  "a generator": () =>
    async function* () {
      yield 1;
    }(),
  "a ReadableStream": () => ReadableStream.from([1]),
  "a generator deep inside": () => ({
    a: [{
      b: async function* () {
        yield 1;
      }(),
    }],
  }),
};

for (const [name, stream] of Object.entries(STREAMS)) {
  Deno.test(`tellWith({ idempotent }) never repeats a call with ${name}`, async () => {
    await using kite = new Kite("flaky", "1.0.0", { ...OPTIONS, disableAuthentication: true });
    let calls = 0;
    kite.handle("work", ({ client }) => {
      calls++;
      client.close();
      return new Promise(() => {});
    });
    const server = await kite.listen();
    await using caller = new Kite("caller", "1.0.0", OPTIONS);
    const remote = caller.newClient(server.url, { reconnect: { initialDelay: 1, jitter: 0 } });
    await remote.dial();
    const call = remote.tellWith({ idempotent: true }, "work", stream());
    const error = await assertRejects(() => call, KiteError);
    assertEquals([error.type, calls], ["disconnect", 1]);
  });
}
