import { assertEquals, assertThrows } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { FakeClock, Faults, FaultySession, memorySessions } from "../../src/testing/mod.ts";
import { Recorder } from "../transport/support.ts";

/** A session with faults in both directions, and what arrives at each end. */
function faulty() {
  const [outgoing, incoming] = [new Faults(), new Faults()];
  const [end, there] = memorySessions();
  const here = new FaultySession(end, { outgoing, incoming });
  return {
    ...{ outgoing, incoming, here, there },
    atHere: new Recorder(here),
    atThere: new Recorder(there),
  };
}

function sendAll(session: { send(message: string): void }, messages: string): void {
  for (const message of messages.split(" ")) session.send(message);
}

for (
  const [what, plan, arrives] of [
    ["nothing", (faults) => faults, "one two three four"],
    ["drop", (faults) => faults.drop(2), "three four"],
    ["pass and drop", (faults) => faults.pass(1).drop(), "one three four"],
    ["duplicate", (faults) => faults.duplicate(), "one one two three four"],
    ["halve", (faults) => faults.halve(Infinity), "o t th fo"],
    ["reverse", (faults) => faults.reverse(3), "three two one four"],
    ["several faults", (faults) => faults.reverse().drop().duplicate(), "two one four four"],
    ["a cleared plan", (faults) => (faults.drop(Infinity).clear(), faults), "one two three four"],
  ] satisfies [string, (faults: Faults) => Faults, string][]
) {
  Deno.test(`FaultySession: applies ${what} in either direction`, async () => {
    for (const side of ["outgoing", "incoming"] as const) {
      const { here, there, atHere, atThere, ...faults } = faulty();
      plan(faults[side]);
      sendAll(side === "outgoing" ? here : there, "one two three four");
      const recorder = side === "outgoing" ? atThere : atHere;
      const wanted = arrives.split(" ");
      assertEquals(await recorder.received(wanted.length), wanted);
      here.close();
      await atThere.closed();
      assertEquals(recorder.messages, wanted);
    }
  });
}

Deno.test("FaultySession: delays messages and what is sent after them, each by its own time", async () => {
  using clock = new FakeClock();
  const { outgoing, here, atThere } = faulty();
  outgoing.pass(1).delay(1_000).pass(1).delay(500);
  sendAll(here, "one two three four five");
  await clock.tick(999);
  assertEquals(atThere.messages, ["one"]);
  await clock.tick(1);
  assertEquals(atThere.messages, ["one", "two", "three"]);
  await clock.tick(500);
  assertEquals(atThere.messages, ["one", "two", "three", "four", "five"]);
  here.close();
});

Deno.test("FaultySession: messages that wait when the session ends are lost", async () => {
  using clock = new FakeClock();
  const { outgoing, incoming, here, there, atHere, atThere } = faulty();
  outgoing.delay(1_000);
  incoming.reverse(2);
  here.send("late");
  there.send("held");
  await clock.tick(10);
  here.close(4_001, "enough");
  await clock.tick(10_000);
  assertEquals([atHere.messages, atThere.messages], [[], []]);
  assertEquals(atThere.ends, [{ code: 4_001, reason: "enough" }]);
});

Deno.test("FaultySession.lose: ends both ends once, this one with code 1006", async () => {
  const { here, there, atHere, atThere } = faulty();
  here.lose();
  here.lose();
  here.close();
  here.send("too late");
  assertEquals([here.isOpen, there.isOpen], [false, false]);
  assertEquals((await atHere.closed()).code, 1006);
  assertEquals((await atThere.closed()).code, 3000);
  assertEquals([atHere.ends.length, atThere.ends.length], [1, 1]);
  assertEquals(atThere.messages, []);
});

Deno.test("FaultySession: a handler that throws ends the session with 1011, also for a late message", async () => {
  using clock = new FakeClock();
  const incoming = new Faults().delay(1_000);
  const [end, there] = memorySessions();
  const atThere = new Recorder(there);
  new FaultySession(end, { incoming }).attach({
    onMessage: () => {
      throw new Error("handler");
    },
    onClose: () => {},
  });
  there.send("one");
  await clock.tick(1_000);
  assertEquals(atThere.ends, [{ code: 1011, reason: "the message handler failed" }]);
});

Deno.test("Faults: refuses counts, delays and plans that make no sense", () => {
  for (const count of [0, -1, 1.5, NaN]) {
    assertThrows(() => new Faults().drop(count), KiteError, "must be an integer above 0");
  }
  assertThrows(() => new Faults().reverse(Infinity), KiteError, "must be an integer above 0");
  assertThrows(() => new Faults().delay(-1), KiteError, "Cannot use delay -1");
  assertThrows(() => new Faults().drop(Infinity).drop(), KiteError, "clear it first");
});

Deno.test("Faults: counts the messages that are still to be affected", () => {
  const faults = new Faults().pass(5).drop(2);
  assertEquals(faults.pending, 2);
  for (let count = 0; count < 6; count++) faults.next();
  assertEquals(faults.pending, 1);
  faults.clear();
  assertEquals([faults.pending, faults.next()], [0, undefined]);
});
