import { assert, assertEquals, assertFalse, assertThrows } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { memorySessions } from "../../src/testing/mod.ts";
import { Recorder } from "../transport/support.ts";

Deno.test("memorySessions: messages arrive in order, in both directions, never inside of send", async () => {
  const [here, there] = memorySessions();
  const [atHere, atThere] = [new Recorder(here), new Recorder(there)];
  const texts = Array.from({ length: 1_000 }, (_, count) => `message ${count}`);
  for (const text of texts) here.send(text);
  assertEquals([atThere.messages.length, here.bufferedAmount > 0], [0, true]);
  for (const text of texts) there.send(text);
  assertEquals(await atThere.received(1_000), texts);
  assertEquals(await atHere.received(1_000), texts);
  assertEquals(here.bufferedAmount, 0);
});

Deno.test("memorySessions: messages before attach are kept, and what was sent before close arrives", async () => {
  const [here, there] = memorySessions();
  sendTwo(here);
  here.close(4_001, "enough");
  here.close(4_002, "too late");
  here.send("too late");
  assertFalse(here.isOpen);
  const recorder = new Recorder(there);
  assertEquals(await recorder.closed(), { code: 4_001, reason: "enough" });
  assertEquals(recorder.messages, ["one", "two"]);
  assertEquals(await new Recorder(here).closed(), { code: 4_001, reason: "enough" });
  assertThrows(() => there.attach(new Recorder()), KiteError, "already has one");
});

Deno.test("memorySessions: no message follows the end at the side that closes", async () => {
  const [here, there] = memorySessions();
  const recorder = new Recorder(here);
  sendTwo(there);
  here.close();
  await recorder.closed();
  assertEquals([recorder.messages, recorder.ends.length], [[], 1]);
  assertThrows(() => there.close(42), KiteError, "Cannot use close code 42");
});

Deno.test("memorySessions: a handler that throws ends that session with 1011", async () => {
  const [here, there] = memorySessions();
  const recorder = new Recorder(here);
  there.attach({
    onMessage: () => {
      throw new Error("handler");
    },
    onClose: () => {},
  });
  here.send("one");
  assertEquals((await recorder.closed()).code, 1011);
  assert(!there.isOpen);
});

function sendTwo(session: { send(message: string): void }): void {
  session.send("one");
  session.send("two");
}
