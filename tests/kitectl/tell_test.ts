import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Kite, type KiteOptions } from "../../mod.ts";
import { startTestKontrol } from "../../src/testing/kontrol.ts";
import { TestProcess } from "../support/process.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "./support.ts";

/** A Kontrol with a kite, and someone with a kite.key. */
async function setUp(options: KiteOptions = {}): Promise<
  AsyncDisposable & { machine: Machine; kite: Kite; url: string }
> {
  await using stack = new AsyncDisposableStack();
  const kontrol = stack.use(await startTestKontrol());
  const machine = stack.use(await Machine.make());
  await machine.writeKey(await kontrol.kiteKey("ada"));
  const kite = await kontrol.newKite("math", "1.0.0", { username: "ada", ...options });
  kite.handle("echo", ({ args }) => args.values);
  kite.handle("whoami", ({ username, authentication }) => [username, authentication?.type]);
  kite.handle("open", () => "open").disableAuthentication();
  const { url } = await kite.listen();
  await kite.register(url);
  const moved = stack.move();
  return { machine, kite, url, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

Deno.test("kitectl tell: arguments are JSON, or else text", async () => {
  await using setting = await setUp();
  const { machine } = setting;
  const words = ["4", "-5", "text", '"4"', "null", '{"a":[1]}', "{not json", "@@callback"];
  const { code, stdout, stderr } = await machine.run(["tell", "--name", "math", "echo", ...words]);
  assertEquals([code, stderr], [0, ""]);
  assertEquals(stdout.split("\n").length, 2, "one line, as nobody reads it on a terminal");
  assertEquals(JSON.parse(stdout), [
    4,
    -5,
    "text",
    "4",
    null,
    { a: [1] },
    "{not json",
    "@callback",
  ]);
  const go = await machine.run(["tell", "-name=math", "-method=echo", "4", "five"]);
  assertEquals(go.stdout, '[4,"five"]\n');
});

Deno.test("kitectl tell: callbacks are printed as they come, before the answer", async () => {
  await using setting = await setUp();
  const { machine, kite } = setting;
  kite.handle("progress", async ({ args }) => {
    const report = args.one().object().field("onProgress").function();
    for (const percent of [10, 90]) {
      report(percent, "percent");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return "done";
  });
  const call = ["tell", "--name", "math", "progress", '{"onProgress":"@callback"}'];
  const plain = await machine.run(call);
  assertEquals(plain.stdout, 'callback [10,"percent"]\ncallback [90,"percent"]\n"done"\n');
  const json = await machine.run([...call, "--json"]);
  assertEquals(json.stdout.trim().split("\n").map((line) => JSON.parse(line)), [
    { callback: [10, "percent"] },
    { callback: [90, "percent"] },
    { result: "done" },
  ]);
});

Deno.test("kitectl tell: the items of streams are printed one by one", async () => {
  await using setting = await setUp();
  const { machine, kite } = setting;
  const taken = Promise.withResolvers<void>();
  kite.handle("count", async function* () {
    yield { n: 1 };
    yield { n: 2 };
    await taken.promise;
    yield { n: 3 };
  });
  await using process = await machine.start(["tell", "--name", "math", "count"], /^\{"n":2\}$/);
  taken.resolve();
  assertEquals(await process.exitCode(), 0);
  const lines: string[] = [];
  process.onLine((line) => lines.push(line));
  assertEquals(lines, ['{"n":1}', '{"n":2}', '{"n":3}']);
  const json = await machine.run(["tell", "--name", "math", "--json", "count"]);
  assertEquals(json.stdout, [1, 2, 3].map((n) => `{"item":{"n":${n}}}\n`).join(""));

  kite.handle("broken", async function* () {
    yield await Promise.resolve(1);
    throw new Error("no more");
  });
  const broken = await machine.run(["tell", "--name", "math", "broken"]);
  assertEquals([broken.code, broken.stdout], [1, "1\n"]);
  assertStringIncludes(broken.stderr, "no more");
});

Deno.test("kitectl tell --follow: prints what callbacks get after the answer, until Ctrl-C", async () => {
  await using setting = await setUp();
  const { machine, kite } = setting;
  let tick: ((n: number) => unknown) | undefined;
  kite.handle("subscribe", ({ args }) => {
    tick = args.one().function();
    return "subscribed";
  });
  await using process = await machine.start(
    ["tell", "--name", "math", "--follow", "subscribe", "@callback"],
    /^"subscribed"$/,
  );
  const lines: string[] = [];
  process.onLine((line) => lines.push(line));
  for (const n of [1, 2]) {
    tick!(n);
    await eventually(() => lines.includes(`callback [${n}]`));
  }
  Deno.kill(process.pid, "SIGINT");
  assertEquals(await process.exitCode(), 0);
});

Deno.test("kitectl tell --to: shows a token for an own kite, and no kite.key unless asked to", async () => {
  await using setting = await setUp();
  const { machine, url } = setting;
  const own = await machine.run(["tell", "--to", url, "whoami"]);
  assertEquals(own.stdout, '["ada","token"]\n', own.stderr);
  const named = await machine.run(["tell", "--to", url, "--name", "math", "whoami"]);
  assertEquals(named.stdout, '["ada","token"]\n', named.stderr);
  const shown = await machine.run(["tell", "--to", url, "--show-key", "whoami"]);
  assertEquals(shown.stdout, '["ada","kiteKey"]\n', shown.stderr);

  // A kite that is registered nowhere.
  const seen: unknown[] = [];
  await using stranger = new Kite("stranger", "1.0.0", { ip: "127.0.0.1", kiteKey: "" });
  stranger.handle("see", ({ authentication }) => {
    seen.push(authentication);
    return "seen";
  }).disableAuthentication();
  stranger.handle("closed", () => "closed");
  const server = await stranger.listen();
  assertEquals((await machine.run(["tell", "--to", server.url, "see"])).stdout, '"seen"\n');
  assertEquals(seen, [undefined]);
  const refused = await machine.run(["tell", "--to", server.url, "closed"]);
  assertEquals(refused.code, 4);
  assertMatch(refused.stderr, /^error: .*\nName the kite with --name .* or use --show-key/);
});

Deno.test("kitectl tell: exit codes tell failures apart", async () => {
  await using setting = await setUp();
  const { machine, kite, url } = setting;
  kite.handle(
    "slow",
    ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(0))),
  );
  const expected: [string[], number, RegExp][] = [
    [["tell", "--name", "math", "nosuch"], 1, /nosuch/],
    [["tell", "--name", "math"], 2, /no method is given/],
    [["tell", "echo", "4"], 2, /neither --to nor a field such as --name is given/],
    [["tell", "--to", "nowhere", "echo"], 2, /Cannot use --to "nowhere"/],
    [["tell", "--name", "math", "--timeout", "soon", "echo"], 2, /Cannot use --timeout "soon"/],
    [["tell", "--name", "nosuch", "echo"], 3, /^error: No kite matches name nosuch$/m],
    [["tell", "--to", "http://127.0.0.1:1/kite", "echo"], 5, /127\.0\.0\.1:1/],
    [["tell", "--to", url, "--timeout", "2s", "slow"], 5, /slow/],
    [["tel"], 2, /unknown command 'tel'\n\(Did you mean tell\?\)/],
    [["tell", "--timeouts", "2s"], 2, /Did you mean --timeout\?/],
    [["user"], 2, /Usage: kitectl user/],
  ];
  for (const [words, code, message] of expected) {
    const run = await machine.run(words);
    assertEquals([run.code, run.stdout], [code, ""], words.join(" ") + run.stderr);
    assertMatch(run.stderr, message);
  }
  await using nobody = await Machine.make();
  const keyless = await nobody.run(["tell", "--name", "math", "echo"]);
  assertEquals(keyless.code, 1);
  assertMatch(keyless.stderr, /there is no kite\.key in \S+\n`kitectl register` gets one/);
});

Deno.test("kitectl tell: a remote cannot steer the terminal", async () => {
  await using setting = await setUp();
  const { machine, kite } = setting;
  const evil = "a\x1b[2Jb\x9b1mc\u202ed\x07";
  kite.handle("evil", () => ({ [evil]: evil }));
  kite.handle("throw", () => {
    throw new Error(evil);
  });
  const good = await machine.run(["tell", "--name", "math", "evil"]);
  assertEquals(JSON.parse(good.stdout), { [evil]: evil }, "it is still valid JSON");
  const bad = await machine.run(["tell", "--name", "math", "throw"]);
  for (const text of [good.stdout, bad.stderr]) {
    assert(!/[^\P{Cc}\n]|\u202e/u.test(text), JSON.stringify(text));
  }
  assertStringIncludes(bad.stderr, "a\ufffd[2Jb");
});

Deno.test("kitectl tell: ends without an error when its output is closed", async () => {
  await using setting = await setUp();
  const { machine, kite } = setting;
  kite.handle("flood", ({ args }) => {
    const call = args.one().function();
    for (let i = 0; i < 1_000; i++) call("x".repeat(1_000));
    return "done";
  });
  const { kitectlArguments } = await import("./support.ts");
  const words = kitectlArguments(["tell", "--name", "math", "flood", "@callback"]);
  const line = [Deno.execPath(), ...words].map((word) => `'${word}'`).join(" ");
  await using process = await TestProcess.start({
    program: "bash",
    args: ["-c", `${line} | head -1 | cut -c1-12; echo "codes \${PIPESTATUS[*]}"`],
    cwd: machine.folder,
    env: machine.environment({ KITE_HOME: "" }),
    ready: (line) => line.startsWith("codes "),
  });
  const lines: string[] = [];
  process.onLine((line, source) => lines.push(`${source} ${line}`));
  assertEquals(lines, ['stdout callback ["x', "stdout codes 141 0 0"]);
});
