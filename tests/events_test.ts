import { assertEquals } from "@std/assert";
import { Events } from "../src/events.ts";
import { turn } from "./rpc/support.ts";

function make(): { events: Events<{ a: number; b: string }>; reports: string[]; seen: unknown[] } {
  const reports: string[] = [];
  const events = new Events<{ a: number; b: string }>((event, error) =>
    reports.push(`${event}: ${error}`)
  );
  return { events, reports, seen: [] };
}

Deno.test("Events.on: calls the listeners of an event in order, until they are removed", () => {
  const { events, seen } = make();
  const remove = events.on("a", (n) => seen.push(`first ${n}`));
  events.on("a", (n) => seen.push(`second ${n}`));
  events.on("b", (text) => seen.push(text));
  events.emit("a", 1);
  remove();
  remove();
  events.emit("a", 2);
  assertEquals(seen, ["first 1", "second 1", "second 2"]);
  assertEquals([events.has("a"), events.has("b")], [true, true]);
});

Deno.test("Events.emit: reports a listener that throws or rejects, and calls the others", async () => {
  const { events, seen, reports } = make();
  events.on("a", () => {
    throw "thrown";
  });
  events.on("a", () => Promise.reject("rejected"));
  events.on("a", (n) => seen.push(n));
  events.emit("a", 1);
  await turn();
  assertEquals(seen, [1]);
  assertEquals(reports, ["a: thrown", "a: rejected"]);
});

Deno.test("Events.once: calls the listener once, also if it throws", () => {
  const { events, seen, reports } = make();
  events.once("a", (n) => {
    seen.push(n);
    throw "x";
  });
  events.emit("a", 1);
  events.emit("a", 2);
  assertEquals([seen, reports, events.has("a")], [[1], ["a: x"], false]);
});

Deno.test("Events.emit: a listener may add and remove listeners", () => {
  const { events, seen } = make();
  const remove = events.on("a", () => {
    seen.push("old");
    remove();
    events.on("a", () => seen.push("new"));
  });
  events.on("a", () => seen.push("other"));
  events.emit("a", 1);
  assertEquals(seen, ["old", "other"]);
  events.emit("a", 2);
  assertEquals(seen, ["old", "other", "other", "new"]);
});
