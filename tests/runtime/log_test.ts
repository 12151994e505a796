import { assert, assertEquals, assertMatch, assertNotMatch } from "@std/assert";
import { configure, getLogger, type LogRecord, reset } from "@logtape/logtape";
import { KiteLogger, type Logger, type LoggerOptions, toggleDebugOnSignal } from "../../src/log.ts";
import { LOG_LEVELS, type LogLevel } from "../../src/log_level.ts";
import { redact, redactText } from "../../src/redact.ts";
import { runDeno } from "./support.ts";

const LOG = new URL("../../src/log.ts", import.meta.url).href;
const TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJkZXZyaW0ifQ.c2lnbmF0dXJl";

/** The lines that `talk` makes a logger write, without their time. */
function linesOf(options: LoggerOptions, talk: (log: KiteLogger) => void) {
  const lines: string[] = [];
  talk(new KiteLogger("math", { ...options, write: (line) => void lines.push(line) }));
  return lines.map((line) => {
    assertMatch(line, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} /);
    return line.slice("2026-01-01 00:00:00.000 ".length);
  });
}

function talkAll(log: Logger): void {
  log.fatal("1");
  log.error("2");
  log.warning("3");
  log.info("4");
  log.debug("5");
}

Deno.test("KiteLogger: writes lines of its level and of graver ones", () => {
  for (const [index, logLevel] of LOG_LEVELS.entries()) {
    assertEquals(linesOf({ logLevel }, talkAll).length, index + 1, logLevel);
  }
  assertEquals(linesOf({}, talkAll), [
    "[FATAL] math: 1",
    "[ERROR] math: 2",
    "[WARNING] math: 3",
    "[INFO] math: 4",
  ]);
});

Deno.test("KiteLogger: its level can change at any time, for one kite only", () => {
  const lines = linesOf({ logLevel: "ERROR" }, (log) => {
    talkAll(log);
    log.setLevel("DEBUG");
    assertEquals(log.level, "DEBUG");
    assert(log.isEnabled("DEBUG"));
    log.debug("6");
    log.setLevel("FATAL");
    assert(!log.isEnabled("ERROR"));
    log.error("7");
  });
  assertEquals(lines, ["[FATAL] math: 1", "[ERROR] math: 2", "[DEBUG] math: 6"]);
});

Deno.test("KiteLogger: replaces the placeholders of a message by its details, once", () => {
  const lines = linesOf({}, (log) => {
    log.info("{who} called {method} with {args}", {
      who: "devrim",
      method: "{who}",
      args: [1, "a"],
    });
    log.info("{nobody} came", { who: "devrim" });
    log.info("{who} came");
    log.info("{constructor}", {});
  });
  assertEquals(lines, [
    '[INFO] math: devrim called {who} with [ 1, "a" ]',
    "[INFO] math: {nobody} came",
    "[INFO] math: {who} came",
    "[INFO] math: {constructor}",
  ]);
});

Deno.test("kite.print: a remote's text cannot control the terminal", () => {
  const lines = linesOf({}, (log) => {
    log.info("evil: a\n2026-01-01 00:00:00.000 [FATAL] math: b\x1b[2J\x1b[31m");
    log.info("{message}", { message: "a\r\nb\x1b[31mc\x9b2J" });
    log.info("x".repeat(100_000));
  });
  for (const line of lines) {
    assertNotMatch(line, /\p{Cc}/u);
    assert(line.length < 5_000);
  }
  assertEquals(lines[1], "[INFO] math: a\\r\\nb\\x1b[31mc\\x9b2J");
});

Deno.test("redact: replaces tokens, keys and passwords", () => {
  const privateKey = "-----BEGIN PRIVATE KEY-----\nMIIEvgIBADANBg\n-----END PRIVATE KEY-----";
  const lines = linesOf({}, (log) => {
    log.info(`GET /kite?token=${TOKEN}&x=1`);
    log.info("{request}", {
      request: {
        method: "square",
        authentication: { type: "token", key: TOKEN },
        kite: { Token: "abc", kiteKey: "def", name: "math" },
        note: `see ${TOKEN}`,
        error: new TypeError(`bad ${privateKey}`),
      },
    });
    log.info("{key}", { key: "ghi" });
  });
  assertEquals(lines[0], "[INFO] math: GET /kite?token=[redacted]&x=1");
  assertEquals(lines[2], "[INFO] math: [redacted]");
  for (const secret of [TOKEN, "abc", "def", "MIIE"]) {
    assert(!lines.join().includes(secret), secret);
  }
  for (const shown of ["square", "math", "see [redacted]", "TypeError: bad [redacted]"]) {
    assert(lines[1]?.includes(shown), lines[1]);
  }
});

Deno.test("KiteLogger: escapes control and direction characters", () => {
  const hidden = "\u2028\u2029\u202e\u2066\u200b\ufeff\u0085\u{e0041}\ud800";
  for (const logNoColor of [true, false]) {
    const [line = ""] = linesOf({ logNoColor }, (log) => log.info("{from}: a", { from: hidden }));
    assertEquals(
      line,
      "[INFO] math: \\u2028\\u2029\\u202e\\u2066\\u200b\\ufeff\\x85\\u{e0041}\\ud800: a",
    );
  }
});

Deno.test("redact: takes linear time for any text", () => {
  const units = ["x", "-eyJ", "-eyJa.a", "eyJ.", "-----BEGIN PRIVATE KEY", "PRIVATE KEY", "\ud800"];
  for (const unit of units) {
    const text = (unit === "PRIVATE KEY" ? "-----BEGIN " : "") + unit.repeat(4_096 / unit.length);
    redactText(text);
    const start = performance.now();
    for (let i = 0; i < 20; i++) redactText(text);
    // What was quadratic took 20 ms for each.
    assert(performance.now() - start < 200, unit);
  }
});

Deno.test("redact: copies values, up to a depth and a number of members", () => {
  const circle: Record<string, unknown> = { token: "x", list: Array(1000).fill(1), call: () => {} };
  circle.self = circle;
  const safe = redact(circle) as Record<string, unknown>;
  assertEquals(circle.token, "x");
  assertEquals(safe.token, "[redacted]");
  assertEquals(safe.call, "[Function]");
  assertEquals((safe.list as unknown[]).length, 33);
  assert(JSON.stringify(safe).length < 2_000);
  assertEquals(redact(JSON.parse('{"__proto__":{"a":1}}')), JSON.parse('{"__proto__":{"a":1}}'));
  assertEquals([redact(undefined), redact(null), redact(5n)], [undefined, null, 5n]);
});

Deno.test("KiteLogger: a line below its level formats nothing", () => {
  const details = {
    get text(): string {
      throw new Error("the details of a level that is off were looked at");
    },
  };
  assertEquals(linesOf({}, (log) => log.debug("{text}", details)), []);
});

Deno.test("KiteOptions.logger: accepts a logger of LogTape", async () => {
  const records: LogRecord[] = [];
  await configure({
    sinks: { list: (record) => void records.push(record) },
    loggers: [
      { category: ["app"], sinks: ["list"], lowestLevel: "info" },
      { category: ["logtape", "meta"], lowestLevel: null },
    ],
  });
  try {
    const log: Logger = getLogger(["app", "kite"]);
    log.info("{who} came", { who: "devrim" });
    log.debug("not this");
    assertEquals(records.map((record) => record.message), [["", "devrim", " came"]]);
  } finally {
    await reset();
  }
});

Deno.test({
  name: "SIGUSR2 switches to DEBUG and back, until no one listens any more",
  ignore: Deno.build.os === "windows",
  async fn() {
    const log = new KiteLogger("math", { logLevel: "WARNING", write: () => {} });
    const stop = toggleDebugOnSignal(log);
    try {
      for (const level of ["DEBUG", "WARNING", "DEBUG", "WARNING"]) {
        Deno.kill(Deno.pid, "SIGUSR2");
        await becomes(() => log.level, level as LogLevel);
      }
    } finally {
      stop();
    }
  },
});

async function becomes<Value>(read: () => Value, expected: Value): Promise<void> {
  const end = Date.now() + 5_000;
  while (read() !== expected && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assertEquals(read(), expected);
}

Deno.test("KiteLogger: writes to standard error without permissions, and without colors unless it is a terminal", async () => {
  const code = `import { KiteLogger, toggleDebugOnSignal } from "${LOG}";
    const log = new KiteLogger("math");
    const stop = toggleDebugOnSignal(log);
    log.warning("100% {x}");
    log.debug("no");
    stop();`;
  const { code: exit, stdout, stderr } = await runDeno([], code);
  assertEquals([exit, stdout], [0, ""]);
  assertMatch(stderr, /^[\d-]+ [\d:.]+ \[WARNING\] math: 100% \{x\}\n$/);
});
