// The misspelt names of these tests.
// cspell:ignore handeling hartbeat prnt transprot attemps timeot deadlin
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";

const QUIET = { ip: "127.0.0.1", kiteKey: "", logLevel: "FATAL" } as const;
const URL = "http://127.0.0.1:1/kite";

const HOOK_RULE = "Cannot use hook of type undefined: must be a function";

type Options = Record<string, unknown>;

function refusalOf(make: () => unknown): string {
  const error = assertThrows(make, KiteError) as KiteError;
  assertEquals(error.type, "configError");
  return error.message;
}

const KITE: readonly [Options, string][] = [
  [{ prot: 3636 }, 'Cannot use option "prot": did you mean port?'],
  [
    { methodHandeling: "first" },
    'Cannot use option "methodHandeling": did you mean methodHandling?',
  ],
  [{ sockjs: { hartbeat: 1 } }, 'Cannot use sockjs option "hartbeat": did you mean heartbeat?'],
  [
    { sockjs: { onSession: () => {} } },
    'Cannot use sockjs option "onSession": must be one of prefix,',
  ],
  [{ sockjs: { heartbeat: "1s" } }, 'Cannot use sockjs.heartbeat "1s": must be a number of milli'],
  [{ sockjs: { prefix: "kite" } }, 'Cannot use sockjs.prefix "kite": must be a path'],
  [
    { builtins: { "kite.prnt": true } },
    'Cannot use builtins option "kite.prnt": did you mean kite.print?',
  ],
  [
    { builtins: { "kite.print": "yes" } },
    'Cannot use builtins.kite.print "yes": must be true, false',
  ],
  [{ builtins: ["kite.print"] }, "Cannot use builtins of type array: must be an object"],
  [{ limits: { session: 1 } }, 'Cannot use limits option "session": did you mean sessions?'],
  [{ tls: { certfile: "a" } }, 'Cannot use tls option "certfile": did you mean certFile?'],
  [{ methodHandling: "last" }, 'Cannot use methodHandling "last": must be one of method, first'],
  [{ verify: true }, "Cannot use verify true: must be a function"],
  [{ clockTolerance: NaN }, "Cannot use clockTolerance NaN: must be a number of milliseconds"],
  [{ disableAuthentication: 1 }, "Cannot use disableAuthentication 1: must be true or false"],
  [{ logger: { error() {} } }, "Cannot use logger: must have the methods fatal, error, warning,"],
  [
    { kontrolUrl: "http://h/\r\nx/kite" },
    "Cannot use kontrolUrl: must not contain white space or control characters",
  ],
  [
    { kontrolUrl: "http://u:s3cret@h/kite" },
    'Cannot use kontrolUrl "http://h/kite": must not contain a user name or password',
  ],
  [{ proxyUrl: "ftp://u:s3cret@h" }, 'Cannot use proxyUrl "ftp://h/": must be a URL such as'],
];

for (const [options, message] of KITE) {
  Deno.test(`Kite refuses ${Object.keys(options)[0]}: ${message}`, () => {
    const refusal = refusalOf(() => new Kite("math", "1.0.0", { ...QUIET, ...options } as Options));
    assertEquals(refusal.slice(0, message.length), message);
  });
}

const CLIENT: readonly [unknown, string][] = [
  ["XHRPolling", 'Cannot use options "XHRPolling": must be an object'],
  [null, "Cannot use options of type null: must be an object"],
  [{ transprot: "auto" }, 'Cannot use option "transprot": did you mean transport?'],
  [{ transport: "carrier" }, 'Cannot use transport "carrier": must be one of auto, WebSocket'],
  [{ timeout: 5 }, 'Cannot use option "timeout": '],
  [
    { reconnect: { maxAttemps: 3 } },
    'Cannot use reconnect option "maxAttemps": did you mean maxAttempts?',
  ],
  [{ reconnect: { jitter: 2 } }, "Cannot use reconnect.jitter 2: must be a number from 0 to 1"],
  [{ whileDown: "hope" }, 'Cannot use whileDown "hope": must be one of wait, try, fail'],
  [{ authentication: { type: "token" } }, "Cannot use authentication.key: must be text"],
  [
    { authentication: { typ: "token", key: "" } },
    'Cannot use authentication option "typ": did you',
  ],
  [{ handshakeTimeout: 0 }, "Cannot use handshakeTimeout 0: must be a number of milliseconds"],
];

for (const [options, message] of CLIENT) {
  Deno.test(`newClient refuses ${JSON.stringify(options)}`, () => {
    const kite = new Kite("exp2", "1.0.0", QUIET);
    const refusal = refusalOf(() => kite.newClient(URL, options as Options));
    assertEquals(refusal.slice(0, message.length), message);
  });
}

Deno.test("every timeout option accepts Infinity", async () => {
  const end = Infinity;
  const kite = new Kite("math", "1.0.0", {
    ...QUIET,
    timeout: end,
    handshakeTimeout: end,
    keyOverlap: end,
    sockjs: { heartbeat: end, disconnectDelay: end },
    limits: { firstMessage: end },
  });
  kite.disableAuthentication().handle("square", ({ args }) => args.one().number() ** 2);
  await using server = await kite.listen();
  for (const transport of ["WebSocket", "XHRPolling"] as const) {
    const options = { transport, handshakeTimeout: end, idleTimeout: end };
    const client = kite.newClient(server.url, { ...options, reconnect: { maxDelay: end } });
    await client.dial({ timeout: end });
    assertEquals(await client.tellWith({ timeout: end }, "square", 4), 16);
    client.close();
  }
  await kite.close({ deadline: end });
});

Deno.test("newClient refuses anything but a URL or a list of URLs", () => {
  const kite = new Kite("exp2", "1.0.0", QUIET);
  for (const url of [5, null, undefined, [], [5], {}]) {
    const refusal = refusalOf(() => kite.newClient(url as unknown as string));
    assertEquals(refusal.startsWith("Cannot use url"), true, refusal);
  }
});

Deno.test("a call rejects with the argumentError for options that cannot be used, and swapped arguments", async () => {
  const kite = new Kite("math", "1.0.0", QUIET).disableAuthentication();
  await using server = await kite.listen();
  await using client = new Kite("exp2", "1.0.0", QUIET).newClient(server.url);
  const tellWith = (...args: unknown[]): Promise<unknown> =>
    (client.tellWith as (...args: unknown[]) => Promise<unknown>).apply(client, args);
  const tell = (...args: unknown[]): Promise<unknown> =>
    (client.tell as (...args: unknown[]) => Promise<unknown>).apply(client, args);
  const cases: [() => Promise<unknown>, string][] = [
    [() => tellWith({ timeot: 5 }, "kite.ping"), 'tell option "timeot": did you mean timeout?'],
    [() => tellWith({ timeout: -1 }, "kite.ping"), "Cannot use timeout -1: must be a number"],
    [() => tellWith({ timeout: "5s" }, "kite.ping"), 'Cannot use timeout "5s": must be a number'],
    [() => tellWith({ signal: {} }, "kite.ping"), "Cannot use signal of type object: must be"],
    [() => tellWith({ callbacks: "ever" }, "kite.ping"), 'Cannot use callbacks "ever": must be'],
    [() => tellWith("kite.ping", { timeout: 5 }), 'Cannot use options "kite.ping": must be an'],
    [() => tellWith(undefined, "kite.ping"), "Cannot use options of type undefined: must be"],
    [() => tell({ timeout: 5 }, "kite.ping"), "Cannot use method of type object: must be the"],
    [() => tell(), "Cannot use method of type undefined: must be the name of a method"],
    [() => tell({ toString: 1 }), "Cannot use method of type object: must be the name of a method"],
  ];
  // The same without a connection, while it is dialed, and with one.
  for (const dial of [() => {}, () => void client.dial(), () => client.dial()]) {
    await dial();
    for (const [call, message] of cases) {
      const error = await assertRejects(call, KiteError, message) as KiteError;
      assertEquals(error.type, "argumentError");
    }
  }
});

Deno.test("every method that returns a promise rejects instead of throwing", async () => {
  await using kite = new Kite("exp2", "1.0.0", { ...QUIET, kontrolUrl: [] });
  const client = kite.newClient("nonsense");
  const wrong = undefined as never;
  const calls: (() => Promise<unknown>)[] = [
    () => kite.register("nonsense"),
    () => kite.registerOnce("nonsense"),
    () => kite.registerHttp("nonsense"),
    () => kite.register(wrong),
    () => kite.getKites({}),
    () => kite.getKites(wrong),
    () => kite.getToken({}),
    () => kite.getKey(),
    () => kite.kontrolReady(),
    () => kite.tellKontrol("kite.ping"),
    () => kite.tellKontrolWith(wrong, wrong),
    () => kite.close({ deadlin: 5 } as Options),
    () => kite.close({ deadline: "5s" } as unknown as { deadline: number }),
    () => kite.close(5 as unknown as Options),
    () => client.dial(),
    () => client.dial({ timeout: 0 }),
    () => client.dial(5 as unknown as Options),
    () => client.dialForever(),
    () => client.dialForever({ timeot: 5 } as Options),
    () => client.tell("m"),
    () => client.tellWith(wrong, wrong),
  ];
  for (const call of calls) {
    let promise: Promise<unknown> | undefined;
    try {
      promise = call();
    } catch (error) {
      throw new Error(`${call} threw`, { cause: error });
    }
    await assertRejects(() => promise, KiteError);
  }
});

Deno.test("preHandle, postHandle, finalFunc and addAuthenticator refuse what is no function", () => {
  const kite = new Kite("math", "1.0.0", QUIET);
  const method = kite.handle("square", () => 4);
  for (const target of [kite, method]) {
    for (const name of ["preHandle", "postHandle", "finalFunc"] as const) {
      const add = target[name].bind(target) as (hook: unknown) => unknown;
      assertEquals(refusalOf(() => add(undefined)), HOOK_RULE);
    }
  }
  const add = kite.addAuthenticator.bind(kite) as (...args: unknown[]) => unknown;
  assertEquals(refusalOf(() => add("badge", 5)), "Cannot use authenticator 5: must be a function");
  assertEquals(
    refusalOf(() => add("", () => "ada")),
    'Cannot use authentication type "": must be text that is not empty',
  );
});
