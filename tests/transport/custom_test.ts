import { assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../mod.ts";
import { connectCustom } from "../../src/transport/custom.ts";
import { FakeClock, memorySessions } from "../../src/testing/mod.ts";
import type { Session } from "../../src/transport/session.ts";

const URL = "memory:math";

Deno.test("connectCustom: returns the session that the function opens", async () => {
  const [session] = memorySessions();
  const { signal } = new AbortController();
  const opened = await connectCustom(
    (url) => {
      assertEquals(url, URL);
      return session;
    },
    URL,
    { handshakeTimeout: 1_000, signal },
  );
  assertEquals(opened === session, true);
  session.close();
});

Deno.test("connectCustom: a function that fails is a sendError, unless it throws a KiteError", async () => {
  const options = { handshakeTimeout: 1_000, signal: new AbortController().signal };
  const plain = await assertRejects(
    () => connectCustom(() => Promise.reject(new Error("no cable")), URL, options),
    KiteError,
    "Cannot reach memory:math: no cable",
  );
  assertEquals(plain.type, "sendError");
  const own = new KiteError("authenticationError", "no");
  const kept = await assertRejects(() =>
    connectCustom(
      () => {
        throw own;
      },
      URL,
      options,
    ), KiteError);
  assertEquals(kept === own, true);
});

Deno.test("connectCustom: a session that is opened too late is closed", async () => {
  using clock = new FakeClock();
  const [late] = memorySessions();
  const { promise, resolve } = Promise.withResolvers<Session>();
  let given: AbortSignal | undefined;
  const failed = assertRejects(
    () =>
      connectCustom(
        (_url, signal) => {
          given = signal;
          return promise;
        },
        URL,
        { handshakeTimeout: 1_000, signal: new AbortController().signal },
      ),
    KiteError,
    "Cannot reach memory:math: no session within 1000 ms",
  );
  await clock.tick(1_000);
  await failed;
  assertEquals([given?.aborted, late.isOpen], [true, true]);
  resolve(late);
  await clock.tick(0);
  assertEquals(late.isOpen, false);
});

Deno.test("connectCustom: an abort ends the attempt, before and during it", async () => {
  const controller = new AbortController();
  const options = { handshakeTimeout: 1_000, signal: controller.signal };
  const during = assertRejects(
    () => connectCustom(() => new Promise(() => {}), URL, options),
    KiteError,
    "Cannot dial memory:math: aborted",
  );
  controller.abort();
  await during;
  let called = false;
  await assertRejects(
    () =>
      connectCustom(
        () => {
          called = true;
          return memorySessions()[0];
        },
        URL,
        options,
      ),
    KiteError,
    "Cannot dial memory:math: aborted",
  );
  assertEquals(called, false);
});
