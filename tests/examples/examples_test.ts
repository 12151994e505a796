import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Kite } from "../../mod.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { eventually } from "../support/eventually.ts";
import { TestProcess } from "../support/process.ts";
import { environment, runExample, start, startKontrol } from "./support.ts";

/** A home without a kite.key. */
const NO_HOME = "/nowhere";

const EXAMPLES = [
  "callbacks.ts",
  "cancel.ts",
  "demo.ts",
  "exp2.ts",
  "exp2_query.ts",
  "exp2_watch.ts",
  "math.ts",
  "math_register.ts",
  "stream.ts",
  "typed.ts",
];

// Their tests, which need programs from outside, are in tests/browser/ and tests/binaries/.
const FOLDERS = ["browser", "containers"];

Deno.test("examples: each one is run by a test here", () => {
  const there = Array.from(Deno.readDirSync(new URL("examples/", ROOT)), ({ name }) => name)
    .filter((name) => !FOLDERS.includes(name));
  assertEquals(there.sort(), EXAMPLES);
});

Deno.test("examples: math answers exp2, and thanks who gives a name", async () => {
  const env = environment(NO_HOME, { KITE_PORT: "0" });
  await using math = await start(["examples/math.ts"], env, /math listens at (\S+)/);
  const { code, stdout } = await runExample("exp2.ts", [math.caught], env);
  assertEquals([code, stdout], [0, "square(4) = 16\n"]);

  await using caller = new Kite("caller", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
  const heard: string[] = [];
  caller.handle("kite.log", ({ args }) => void heard.push(args.one().string()));
  const remote = caller.newClient(math.caught);
  await remote.dial();
  assertEquals(await remote.tell("square", { Number: 5, Name: "Ada" }), 25);
  await eventually(() => heard.length > 0);
  assertEquals(heard, ['Message from math: "Ada asks for the square of 5"']);
  assertEquals(await remote.tell("slowSquare", 3), 9);
  const error = await remote.tell("square", "four").catch(String);
  assertMatch(
    String(error),
    /^argumentError: Cannot call "square": argument must be an object, got a string/,
  );
  assertEquals(math.lines.length, 1, "nothing is printed per call");
});

Deno.test("examples: cancel ends the work of two kites, and shows a deadline", async () => {
  const { code, stdout } = await runExample("cancel.ts", [], environment(NO_HOME));
  assertEquals(code, 0);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines[0], "the manager has 60 s");
  assertEquals(lines.slice(1, 4), ["step 1", "step 2", "step 3"]);
  assert(lines.includes('Cannot call "work": the signal was aborted'), stdout);
  assertEquals(lines.at(-1), "counting: aborted");
});

Deno.test("examples: math tells how long a call took when the log level asks", async () => {
  const env = environment(NO_HOME, { KITE_PORT: "0", KITE_LOG_LEVEL: "DEBUG" });
  await using math = await start(["examples/math.ts"], env, /math listens at (\S+)/);
  await using caller = new Kite("caller", "1.0.0", { kiteKey: "", logLevel: "FATAL" });
  const remote = caller.newClient(math.caught);
  await remote.dial();
  assertEquals(await remote.tell("slowSquare", 3), 9);
  await eventually(() => math.lines.some((line) => /request \w{16} took \d+ ms/.test(line)));
});

Deno.test("examples: exp2_query finds math_register, exp2_watch sees it come and go", async () => {
  await using kontrol = await startKontrol();
  const { env } = kontrol;
  const none = await runExample("exp2_query.ts", [], env);
  assertEquals(none.code, 1);
  assertStringIncludes(none.stderr, "no kites availabile");

  const watching = runExample("exp2_watch.ts", ["2"], env);
  {
    await using math = await start(
      ["examples/math_register.ts"],
      env,
      /registered at Kontrol as (\S+)/,
    );
    const { code, stdout, stderr } = await runExample("exp2_query.ts", [], env);
    assertEquals([code, stdout], [0, "Kontrol knows 1 math kite\nsquare(4) = 16\n"], stderr);

    // Without a token of Kontrol nobody is let in.
    const stranger = await runExample("exp2.ts", [math.caught], environment(NO_HOME));
    assertStringIncludes(stranger.stderr, "No authentication information is provided");
  }
  const { code, stdout } = await watching;
  assertEquals(code, 0);
  assertMatch(
    stdout,
    /^REGISTER math 1\.0\.0 of kontrol at http:\S+\nDEREGISTER math 1\.0\.0 of kontrol at http:\S+\n$/,
  );
});

Deno.test("examples: exp2_watch ends in order when it is interrupted", async () => {
  await using kontrol = await startKontrol();
  await using math = await start(["examples/math_register.ts"], kontrol.env, /registered at/);
  assert(math.process.pid > 0);
  await using watch = await start(["examples/exp2_watch.ts"], kontrol.env, /^REGISTER math/);
  Deno.kill(watch.process.pid, "SIGINT");
  await watch.process.ended();
  assertEquals(watch.lines.length, 1, watch.lines.join("\n"));
});

Deno.test("exp2_watch: refuses an argument that is not a number", async () => {
  const { code, stderr } = await runExample("exp2_watch.ts", ["soon"], environment(NO_HOME));
  assertEquals(
    [code, stderr.trim()],
    [2, 'Cannot wait for "soon" events: must be a number of at least 1'],
  );
});

for (const example of ["exp2.ts", "exp2_query.ts", "exp2_watch.ts"]) {
  Deno.test(`examples: ${example} reports in one line what it cannot reach`, async () => {
    const args = example === "exp2.ts" ? ["http://127.0.0.1:1/kite"] : [];
    const { code, stderr } = await runExample(example, args, environment(NO_HOME));
    assertEquals(code, 1);
    assertMatch(stderr, /^exp2: \w+: Cannot reach .*\n$/);
  });
}

Deno.test("examples: math_register reports that no Kontrol is configured", async () => {
  const { code, stderr } = await runExample("math_register.ts", [], environment(NO_HOME));
  assertEquals(code, 1);
  assertStringIncludes(
    stderr,
    "Cannot reach Kontrol: no URL is known; set kontrolUrl or KITE_KONTROL_URL",
  );
});

Deno.test("examples: functions travel both ways", async () => {
  const { code, stdout } = await runExample("callbacks.ts", [], environment(NO_HOME));
  assertEquals([code, stdout], [0, "Hello, Ada!\ntick 1\ntick 2\ntick 3\nstopped\n"]);
});

Deno.test("examples: the demo runs with its own permissions, and leaves nothing", async () => {
  const { code, stdout, stderr } = await demo().output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  assertMatch(text, /^Kontrol +listens at http/);
  assertStringIncludes(text, "\nsquare(4) = 16\n");
  await eventually(isClean);
});

Deno.test("examples: the demo cleans up when it is interrupted", async () => {
  const { args } = DEMO;
  await using process = await TestProcess.start({
    program: Deno.execPath(),
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    ready: (line) => line.startsWith("Kontrol "),
  });
  const lines: string[] = [];
  process.onLine((line) => lines.push(line));
  Deno.kill(process.pid, "SIGINT");
  await process.ended();
  assertStringIncludes(lines.join("\n"), "The demo failed: interrupted");
  await eventually(isClean);
});

const DEMO = { args: ["run", "--no-prompt", "--permission-set=demo", "examples/demo.ts"] };

function demo(): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: DEMO.args,
    cwd: fromFileUrl(ROOT),
    stdin: "null",
    signal: AbortSignal.timeout(60_000),
  });
}

/** Whether no home of a demo is left, be it of another run at the same time. */
function isClean(): boolean {
  const cache = Array.from(Deno.readDirSync(new URL(".cache/", ROOT)), ({ name }) => name);
  return !cache.some((name) => name.startsWith("demo-"));
}

Deno.test("examples: stream continues after a lost connection, and sends a stream", async () => {
  const { code, stdout } = await runExample("stream.ts", [], environment(NO_HOME));
  const lines = stdout.trimEnd().split("\n");
  assertEquals(code, 0, stdout);
  // The producer learns of the lost connection after the reader has dialled again, or before.
  assertEquals(lines.filter((line) => line !== "tail ends"), [
    "tail starts",
    "app.log: line 1",
    "app.log: line 2",
    "tail continues after line 2",
    "app.log: line 3",
    "app.log: line 4",
    "counted 10000 lines",
  ]);
  assertEquals(lines.length, 9, "both generators have ended");
});

Deno.test("examples: typed calls, iterates and is refused by its contract", async () => {
  const { code, stdout } = await runExample("typed.ts", [], environment(NO_HOME));
  assertEquals(code, 0);
  assertMatch(
    stdout,
    /^2 teas: 6\ntea: 10 in stock\ncoffee: 10 in stock\ncoffee: 5\nargumentError: .* argument 2: /,
  );
});
