import { assertEquals } from "@std/assert";
import { LimitedLog } from "../../src/limited_log.ts";
import { KiteLogger } from "../../src/log.ts";
import { eventually } from "../support/eventually.ts";

function linesOf(period?: number): { lines: string[]; log: LimitedLog } {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line.slice(line.indexOf("[")));
  return { lines, log: new LimitedLog(new KiteLogger("math", { write }), period) };
}

Deno.test("LimitedLog: writes ten messages of a kind, then counts the others until the period ends", async () => {
  const { lines, log } = linesOf(100);
  for (let i = 0; i < 12_355; i++) log.write("warning", "floods", "{i} came", { i });
  log.write("error", "others", "one of another kind", {});
  assertEquals(lines.length, 11);
  assertEquals([lines[0], lines[9], lines[10]], [
    "[WARNING] math: 0 came",
    "[WARNING] math: 9 came",
    "[ERROR] math: one of another kind",
  ]);
  await eventually(() => lines.length > 11);
  assertEquals(lines[11], "[WARNING] math: … 12,345 more: floods");
  log.write("warning", "floods", "{i} came", { i: "the next" });
  assertEquals(lines[12], "[WARNING] math: the next came");
});

Deno.test("LimitedLog.flush: writes the number of suppressed messages immediately", () => {
  const { lines, log } = linesOf();
  for (let i = 0; i < 5; i++) log.write("info", "floods", "{i} came", { i }, 2);
  log.flush();
  log.flush();
  assertEquals(lines, [
    "[INFO] math: 0 came",
    "[INFO] math: 1 came",
    "[INFO] math: … 3 more: floods",
  ]);
});

Deno.test("LimitedLog.flush: does not reset the limit", () => {
  const { lines, log } = linesOf();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 20; i++) log.write("info", "floods", "came", {});
    log.flush();
  }
  assertEquals(lines.length, 13);
});

Deno.test("LimitedLog: the number of kinds does not increase the memory", () => {
  const { lines, log } = linesOf();
  for (let kind = 0; kind < 1_000; kind++) {
    for (let i = 0; i < 3; i++) log.write("warning", `kind ${kind}`, "came", {}, 1);
  }
  log.flush();
  assertEquals(lines.length, 2_000);
});
