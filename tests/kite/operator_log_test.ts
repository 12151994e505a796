import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { KiteError, KiteLogger, type LogLevel } from "../../mod.ts";
import type { Kite } from "../../src/kite.ts";
import type { KiteOptions } from "../../src/kite_options.ts";
import { eventually } from "../support/eventually.ts";
import { callingKite, targetKite } from "../security/kites.ts";

/** Runs a test with a kite whose log is kept, and a client of it. */
async function withLog(
  logLevel: LogLevel,
  options: KiteOptions,
  run: (
    tell: (method: string, ...args: unknown[]) => Promise<unknown>,
    lines: string[],
    kite: Kite,
  ) => Promise<void>,
): Promise<void> {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line.slice(line.indexOf("[")));
  const logger = new KiteLogger("target", { logLevel, write });
  await using kite = targetKite({ logger, ...options });
  await using server = await kite.listen();
  await using client = callingKite({ username: "ann" }).newClient(server.url);
  await client.dial();
  await run((method, ...args) => client.tell(method, ...args), lines, kite);
}

Deno.test("a handler's error is logged with its stack, method, caller and request id", () =>
  withLog("INFO", {}, async (tell, lines, kite) => {
    kite.handle("bug", function findUser() {
      return (JSON.parse("null") as { user: string }).user;
    });
    const error = await assertRejects(() => tell("bug"), KiteError) as KiteError;
    const line = lines.find((each) => each.startsWith("[ERROR]")) ?? "";
    const [head = "", ...frames] = line.split("\n");
    assertMatch(
      head,
      /^\[ERROR\] target: bug failed for ann\/caller at 127\.0\.0\.1:\d+ \(request /,
    );
    assert(head.includes(`(request ${error.id}): TypeError: Cannot read properties of null`), head);
    assertMatch(frames[0] ?? "", /^ {4}at .*findUser.*operator_log_test\.ts:\d+/);
    assert(frames.every((frame) => frame.startsWith("    at ")));
  }));

Deno.test("any thrown value is logged, and cannot forge a log line", () =>
  withLog("INFO", {}, async (tell, lines, kite) => {
    kite.handle("throws", ({ args }) => {
      throw args.one().value;
    });
    kite.handle("forges", ({ args }) => {
      throw new Error(args.one().string());
    });
    const forged =
      "a\n    at evil (file:///x.ts:1:1)\n[FATAL] target: \u2028\u2029\u202e\u2066\x1b[31m";
    await tell("throws", { toString: 1 }).catch(() => {});
    await tell("throws", forged).catch(() => {});
    await tell("forges", forged).catch(() => {});
    const errors = lines.filter((line) => line.startsWith("[ERROR]"));
    assertEquals(errors.length, 3);
    for (const line of errors) {
      // deno-lint-ignore no-control-regex -- what must not be there
      assert(!/[\u2028\u2029\u202e\u2066\x1b\r]/u.test(line), line);
      const [, ...frames] = line.split("\n");
      assert(frames.every((frame) => frame.startsWith("    at ")), line);
      assert(frames.every((frame) => !frame.includes("evil")), line);
    }
  }));

Deno.test("a thrown KiteError is logged only if the caller expects no answer", () =>
  withLog("INFO", {}, async (tell, lines) => {
    await tell("throws").catch(() => {});
    await tell("square", "x").catch(() => {});
    assertEquals(lines.filter((line) => !line.startsWith("[INFO]")), []);
  }));

Deno.test("each call is logged at DEBUG with its caller, outcome and duration", () =>
  withLog("DEBUG", {}, async (tell, lines, kite) => {
    kite.handle("later", async () => await Promise.resolve("done"));
    await tell("square", 2);
    await tell("later");
    await tell("throws").catch(() => {});
    const calls = lines.filter((line) => line.includes(" ms (request "));
    const shape = (method: string, outcome: string): RegExp =>
      new RegExp(
        `^\\[DEBUG\\] target: ${method} for ann/caller at 127\\.0\\.0\\.1:\\d+: ${outcome} ` +
          `in \\d+\\.\\d ms \\(request [0-9a-f]{16}\\)$`,
      );
    assertMatch(calls[0] ?? "", shape("square", "ok"));
    assertMatch(calls[1] ?? "", shape("later", "ok"));
    assertMatch(calls[2] ?? "", shape("throws", "x"));
    assertMatch(lines.join("\n"), /\[DEBUG\] target: 127\.0\.0\.1:\d+ connected over WebSocket/);
  }));

Deno.test("above the level DEBUG, calls are neither logged nor inspected", () =>
  withLog("INFO", {}, async (tell, lines, kite) => {
    let ids = 0;
    kite.handle("plain", (request) => {
      Object.defineProperty(request, "id", { get: () => String(++ids) });
      return "done";
    });
    await tell("plain");
    assertEquals([ids, lines.filter((line) => line.includes("plain"))], [0, []]);
  }));

Deno.test("logConnections logs connections at INFO", async () => {
  let kept: string[] = [];
  await withLog("INFO", { logConnections: true }, async (tell, lines) => {
    kept = lines;
    await tell("kite.ping");
  });
  await eventually(() => kept.some((line) => line.includes("disconnected")));
  const shown = kept.map((line) => line.replace(/127\.0\.0\.1:\d+/, "PEER"));
  assert(shown.includes("[INFO] target: PEER connected over WebSocket"), shown.join("\n"));
  assert(shown.some((line) => line.startsWith("[INFO] target: PEER disconnected: ")));
});

Deno.test("refused authentications are logged, with a limit", () =>
  withLog("INFO", { disableAuthentication: false }, async (tell, lines) => {
    for (let i = 0; i < 30; i++) await tell("square", i).catch(() => {});
    const refused = lines.filter((line) => line.startsWith("[INFO] target: Refused square for "));
    assertEquals(refused.length, 10);
    assert(refused[0]?.endsWith("No authentication information is provided"), refused[0]);
  }));

Deno.test("calls of unknown methods share one limit in the log", () =>
  withLog("INFO", {}, async (_tell, lines, kite) => {
    await using server = await targetKite({ logger: kite.log }).listen();
    const socket = new WebSocket(server.url.replace("http", "ws") + "/websocket");
    await new Promise((resolve) => socket.onopen = resolve);
    for (let i = 0; i < 50; i++) {
      socket.send(JSON.stringify({ method: `m${i}`, arguments: [{}] }));
    }
    await eventually(() => lines.some((line) => line.includes("m9 failed")));
    const closed = new Promise((resolve) => socket.onclose = resolve);
    socket.close();
    await closed;
    const failed = lines.filter((line) => line.includes("which expects no answer"));
    assertEquals(failed.length, 10);
  }));
