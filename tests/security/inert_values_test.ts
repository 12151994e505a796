import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Client } from "../../src/client.ts";
import type { Callback } from "../../src/dnode/scrub.ts";
import type { Kite } from "../../src/kite.ts";
import type { KiteRequest } from "../../src/rpc/request.ts";
import { startTestKontrol } from "../../src/testing/kontrol.ts";
import { eventually } from "../support/eventually.ts";
import {
  hostileCallbacks,
  type HostileValue,
  hostileValue,
  IMPLICIT,
  KNOWN,
  reactTo,
} from "./hostile_values.ts";
import { callingKite, targetKite } from "./kites.ts";
import { responseIdOf, type ScriptedConnection, ScriptedServer } from "./scripted_server.ts";

const RUNS = { numRuns: 40 };
/** Milliseconds: every call must come to something within it, if only to a timeout. */
const TIMEOUT = 5_000;

/** Collects rejections that nobody handled while `run` runs, and for a while after it. */
async function unhandledIn(run: () => Promise<void>): Promise<unknown[]> {
  const unhandled: unknown[] = [];
  const listener = (event: PromiseRejectionEvent): void => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", listener);
  try {
    await run();
    for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setTimeout(resolve, 1));
  } finally {
    removeEventListener("unhandledrejection", listener);
  }
  return unhandled;
}

/** Runs `check` on the known values, then on random ones. */
async function forHostileValues(check: (value: HostileValue) => Promise<void>): Promise<void> {
  for (const value of KNOWN) await check(value);
  await fc.assert(fc.asyncProperty(hostileValue, check), RUNS);
}

/** A raw WebSocket that calls methods with hostile values, and calls whatever it is given. */
class HostileCaller implements AsyncDisposable {
  /** The functions in hostile values that the kite called. */
  readonly called: number[] = [];
  readonly #socket: WebSocket;
  readonly #answers = new Map<number, (answer: unknown) => void>();
  #nextId = 1;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#hear(data as string);
  }

  static async connect(kiteUrl: string): Promise<HostileCaller> {
    const socket = new WebSocket(kiteUrl.replace(/^http/, "ws") + "/websocket");
    await new Promise((resolve) => socket.onopen = resolve);
    return new HostileCaller(socket);
  }

  /**
   * Sends one request.
   *
   * @returns its answer, which must come
   */
  call(method: string, request: Record<string, unknown>, callbacks = {}): Promise<unknown> {
    const id = this.#nextId++;
    const answer = Promise.withResolvers<unknown>();
    const late = setTimeout(() => answer.reject(new Error(`no answer to ${method}`)), TIMEOUT);
    this.#answers.set(id, answer.resolve);
    this.send({
      method,
      arguments: [{ ...request, responseCallback: "[Function]" }],
      callbacks: { [id]: [0, "responseCallback"], ...callbacks },
    });
    return answer.promise.finally(() => clearTimeout(late));
  }

  send(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
  }

  #hear(text: string): void {
    const { method, arguments: args } = JSON.parse(text);
    this.#answers.get(method)?.(args[0]);
    const { called, replies } = reactTo(text);
    if (called !== undefined) this.called.push(called);
    for (const reply of replies) this.#socket.send(reply);
  }
}

const CHAINS: Record<string, (kite: Kite) => void> = {
  "without hooks": () => {},
  "with hooks that pass the argument on": (kite) => {
    const pass = ({ args }: KiteRequest): unknown => args.values[0];
    kite.preHandle(pass).postHandle(async (request) => await pass(request));
    kite.finalFunc((request) => pass(request));
  },
  "with a final function that throws the argument": (kite) => {
    kite.finalFunc(({ args }) => {
      throw args.values[0];
    });
  },
};

/** Methods that do with their argument what handlers do. */
const HANDLERS: Record<string, (request: KiteRequest) => unknown> = {
  gives: ({ args }) => args.values[0],
  resolves: async ({ args }) => await args.values[0],
  nests: ({ args }) => Promise.all([...args.values, { a: args.values }]),
  throws: ({ args }) => {
    throw args.values[0];
  },
  rejects: ({ args }) => Promise.reject(args.values[0]),
  prints: ({ args }) => `${args.values[0]} ${JSON.stringify(args.values)}`,
  compares: ({ args }) => (args.values[0] as number) < 1,
  typed: ({ args }) => args.one().object().field("message").string(),
  greets: async ({ client, args }) => await client.tellWith({ timeout: 50 }, "x", args.values[0]),
};

for (const [chain, addHooks] of Object.entries(CHAINS)) {
  Deno.test(`a handler ${chain} may await, return, throw and print whatever came`, async () => {
    const unhandled = await unhandledIn(async () => {
      const kite = targetKite();
      for (const [name, handler] of Object.entries(HANDLERS)) kite.handle(name, handler);
      addHooks(kite);
      await using server = await kite.listen();
      await using caller = await HostileCaller.connect(server.url);
      const methods = [...Object.keys(HANDLERS), "kite.echo", "kite.log", "kite.heartbeat", "nope"]
        .filter((name) => name !== "greets");
      await forHostileValues(async (value) => {
        const callbacks = hostileCallbacks(value, 0, "withArgs", 0);
        await Promise.all(methods.map(async (method) => {
          await caller.call(method, { withArgs: [value.json] }, callbacks);
          // The same as a notification: nobody is told, and the kite reports it.
          caller.send({ method, arguments: [{ withArgs: [value.json] }], callbacks });
        }));
      });
      await caller.call("greets", { withArgs: [KNOWN[0]!.json] });
      await caller.call("kite.ping", {});
      assertEquals(caller.called, []);
    });
    assertEquals(unhandled, []);
  });
}

Deno.test("hostile identities, authentications and authenticators' outcomes are refused", async () => {
  const unhandled = await unhandledIn(async () => {
    const kite = targetKite({ disableAuthentication: false });
    let current: unknown;
    kite.handle("keep", ({ args }) => {
      current = args.values[0];
    }).disableAuthentication();
    kite.addAuthenticator("gives", () => current as string);
    kite.addAuthenticator("throws", () => {
      throw current;
    });
    await using server = await kite.listen();
    await using caller = await HostileCaller.connect(server.url);
    await forHostileValues(async (value) => {
      const withArgs = [value.json];
      await caller.call("keep", { withArgs }, hostileCallbacks(value, 0, "withArgs", 0));
      for (const type of ["gives", "throws"]) {
        const answer = await caller.call("square", { authentication: { type, key: "k" } });
        if (type === "gives" && typeof value.json === "string") continue; // a username
        assertEquals((answer as { error: { type: string } }).error.type, "authenticationError");
      }
      for (const member of ["kite", "authentication"]) {
        await caller.call(
          "kite.ping",
          { [member]: value.json },
          hostileCallbacks(value, 0, member),
        );
        for (const field of ["name", "username", "type", "key"]) {
          await caller.call(
            "square",
            { [member]: { [field]: value.json } },
            hostileCallbacks(value, 0, member, field),
          );
        }
      }
    });
    assertEquals(caller.called, []);
  });
  assertEquals(unhandled, []);
});

/** The shapes in which a peer may put a value into an answer, with the path to it. */
const ANSWERS: [name: string, args: (json: unknown) => unknown[], path: (string | number)[]][] = [
  ["a result", (json) => [{ error: null, result: json }], [0, "result"]],
  ["an error", (json) => [{ error: json, result: null }], [0, "error"]],
  ["an error's type", (json) => [{ error: { type: json } }], [0, "error", "type"]],
  ["an error's message", (json) => [{ error: { message: json } }], [0, "error", "message"]],
  ["a pair's result", (json) => [null, json], [1]],
  ["a pair's error", (json) => [json, null], [0]],
  ["the only argument", (json) => [json], [0]],
  ["a folded result", (json) => [{ error: null, result: json }], [1]],
];

/** A client of a server whose answers hold hostile values. */
async function withHostileServer(
  run: (client: Client, say: (value: HostileValue) => void) => Promise<void>,
  concurrentCallbacks = false,
): Promise<void> {
  const called: number[] = [];
  let value: HostileValue = KNOWN[0]!;
  await using server = new ScriptedServer((connection: ScriptedConnection, text) => {
    const reaction = reactTo(text);
    if (reaction.called !== undefined) called.push(reaction.called);
    if (reaction.replies.length > 0) connection.send(...reaction.replies);
    const { method, callbacks = {} } = JSON.parse(text);
    if (typeof method !== "string") return;
    const id = responseIdOf(text);
    for (const [other, path] of Object.entries<unknown[]>(callbacks)) {
      if (Number(other) === id || path[1] !== "withArgs") continue;
      connection.send(JSON.stringify({
        method: Number(other),
        arguments: [value.json],
        callbacks: hostileCallbacks(value, 0),
      }));
    }
    const [, args, path] = ANSWERS.find(([name]) => name === method) ?? ANSWERS[0]!;
    connection.send(JSON.stringify({
      method: id,
      arguments: args(value.json),
      callbacks: hostileCallbacks(value, ...path),
    }));
  });
  await using kite = callingKite({ concurrentCallbacks });
  await using client = kite.newClient(server.url, { concurrentCallbacks });
  await client.dial();
  await run(client, (next) => value = next);
  assertEquals(called, []);
}

Deno.test("tell settles whatever the remote answers, as a result or an error", async () => {
  const unhandled = await unhandledIn(() =>
    withHostileServer((client, say) =>
      forHostileValues(async (value) => {
        say(value);
        await Promise.all(ANSWERS.map(async ([shape]) => {
          const outcome = await client.tellWith({ timeout: TIMEOUT }, shape).catch(
            (error: unknown) => String(error),
          );
          const isLate = typeof outcome === "string" && outcome.startsWith("timeout");
          assertEquals(isLate, false, `${shape} did not settle the call`);
        }));
        assertEquals(client.load.pending, 0);
      })
    )
  );
  assertEquals(unhandled, []);
});

for (const concurrent of [false, true]) {
  const how = concurrent ? "concurrent" : "queued";
  Deno.test(`${how} callbacks may await, return, throw and print whatever came`, async () => {
    const unhandled = await unhandledIn(() =>
      withHostileServer((client, say) =>
        forHostileValues(async (value) => {
          say(value);
          let calls = 0;
          const callbacks: Callback[] = [
            (arg: unknown) => arg,
            async (arg: unknown) => await arg,
            (arg: unknown) => {
              throw arg;
            },
            (arg: unknown) => Promise.reject(arg),
            (arg: unknown) => `${arg}${JSON.stringify(arg)}`,
          ];
          const counting = callbacks.map((callback) => (arg: unknown): unknown => {
            calls++;
            return callback(arg);
          });
          await client.tellWith({ timeout: TIMEOUT }, "a result", ...counting);
          await eventually(() => calls === callbacks.length, { what: "every callback" });
          for (const one of counting) client.release(one);
        }), concurrent)
    );
    assertEquals(unhandled, []);
  });
}

Deno.test("a kite that answers kite.heartbeat with a thenable stays registered", async () => {
  const unhandled = await unhandledIn(async () => {
    await using kontrol = await startTestKontrol();
    const kite = await kontrol.newKite("evil");
    const called: unknown[] = [];
    const members = Object.fromEntries(
      IMPLICIT.map((name) => [name, (...args: unknown[]) => void called.push(args)]),
    );
    delete members.toJSON; // our own side would call it
    kite.unhandle("kite.heartbeat");
    kite.handle("kite.heartbeat", () => members);
    await using server = await kite.listen();
    await kite.register(server.registerUrl());
    const watcher = await kontrol.newKite("watcher");
    const found = await watcher.getKites({ username: "testuser", name: "evil" });
    assertEquals(found.length, 1);
    assertEquals(called, []);
  });
  assertEquals(unhandled, []);
});
