import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { connectKites, FakeClock } from "../../src/testing/mod.ts";
import { targetKite } from "../security/kites.ts";

Deno.test("FakeClock: stands still until moved, and dispose restores the real clock", async () => {
  const before = Date.now();
  {
    using clock = new FakeClock({ now: 1_000_000 });
    assertEquals([Date.now(), new Date().getTime(), clock.now], [1_000_000, 1_000_000, 1_000_000]);
    const fired: number[] = [];
    setTimeout(() => fired.push(Date.now()), 86_400_000);
    const start = performance.now();
    await clock.tick(86_399_999);
    assertEquals(fired, []);
    await clock.tick(1);
    assertEquals(fired, [87_400_000]);
    assertEquals(performance.now() - start, 86_400_000);
    assertThrows(() => new FakeClock(), TypeError, "");
    await assertRejects(() => clock.tick(-1), KiteError, "Cannot use tick -1: must be a number");
  }
  assert(Date.now() >= before && Date.now() - before < 3_600_000);
});

Deno.test("FakeClock: heartbeats, throttles and timeouts of kites follow it", async () => {
  using clock = new FakeClock();
  await using stack = new AsyncDisposableStack();
  const caller = stack.use(new Kite("caller", "1.0.0", { kiteKey: "" }));
  const serving = stack.use(targetKite());
  serving.handle("limited", () => "in").throttle(3_600_000, 1);
  serving.handle("never", () => new Promise(() => {}));
  const { client } = stack.use(await connectKites(caller, serving));

  let beats = 0;
  await client.tell("kite.heartbeat", 60, () => beats++);
  await clock.tick(3_600_000);
  assertEquals(beats, 61);

  assertEquals(await client.tell("limited"), "in");
  const refused = await assertRejects(() => client.tell("limited"), KiteError);
  assertEquals(refused.type, "requestLimitError");
  await clock.tick(3_600_000);
  assertEquals(await client.tell("limited"), "in");

  const late = assertRejects(
    () => client.tellWith({ timeout: 86_400_000 }, "never"),
    KiteError,
    'No response to "never" method in 86400s',
  );
  await clock.tick(86_400_000);
  await late;
});
