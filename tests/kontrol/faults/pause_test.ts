import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../../mod.ts";
import { eventually } from "../../support/eventually.ts";
import { TestProcess } from "../../support/process.ts";
import { denoRun, kiteOf, KontrolProcess } from "./kontrol_process.ts";
import { ms, print, WatchRecorder } from "./observers.ts";

const KONTROL = new URL("./kontrol_program.ts", import.meta.url);
const KITE = new URL("./kite_program.ts", import.meta.url);

/** One second is the shortest interval on the wire. */
const LIVENESS = { heartbeatInterval: 1_000, heartbeatGrace: 1_000 };

/** The heartbeat interval and grace, the sweep interval, and a margin. */
const GONE_WITHIN = 2_000 + 500 + 1_500;

/** The heartbeat interval, the pause after a failed heartbeat, and a margin. */
const BACK_WITHIN = 1_000 + 1_000 + 1_500;

for (const over of ["websocket", "http"]) {
  Deno.test(`faults: a suspended kite is removed, and listed again after it resumes, over ${over}`, async () => {
    await using kontrol = await KontrolProcess.start({
      storage: ["-storage=sqlite"],
      script: KONTROL,
      env: { LIVENESS: JSON.stringify(LIVENESS) },
    });
    await using kite = await TestProcess.start({
      ...denoRun(KITE, ["math", over, kontrol.home, kontrol.url]),
      ready: (line) => line.startsWith("registered "),
    });
    await using watch = new WatchRecorder(kiteOf([kontrol], "watch"), { name: "math" });
    await eventually(() => watch.present.length === 1);
    // Heartbeats keep it registered for longer than the interval and grace.
    await new Promise((resolve) => setTimeout(resolve, 2_600));
    assertEquals(watch.events.length, 1);

    const stopped = performance.now();
    Deno.kill(kite.pid, "SIGSTOP");
    await eventually(() => watch.present.length === 0, { withinMs: 2 * GONE_WITHIN });
    const gone = performance.now() - stopped;
    await using caller = kiteOf([kontrol], "caller");
    await assertRejects(() => caller.getKites({ name: "math" }), KiteError, "no kites");

    const resumed = performance.now();
    Deno.kill(kite.pid, "SIGCONT");
    await eventually(() => watch.present.length === 1, { withinMs: 2 * BACK_WITHIN });
    const back = performance.now() - resumed;
    const [client] = await caller.getKites({ name: "math" });
    await client?.dial();
    assertEquals(await client?.tell("square", 5), 25);
    print(
      `over ${over}: removed ${ms(gone)} after it was suspended, listed ${
        ms(back)
      } after it resumed`,
    );
    assert(gone > 900 && gone < GONE_WITHIN, ms(gone));
    assert(back < BACK_WITHIN, ms(back));
    assertEquals(watch.events.length, 3, String(watch.events));
  });
}

Deno.test("faults: a suspended Kontrol loses none of its kites", async () => {
  const liveness = { heartbeatInterval: 1_000, heartbeatGrace: 2_000 };
  await using kontrol = await KontrolProcess.start({
    storage: ["-storage=sqlite"],
    script: KONTROL,
    env: { LIVENESS: JSON.stringify(liveness) },
  });
  const start = (over: string) =>
    TestProcess.start({
      ...denoRun(KITE, ["math", over, kontrol.home, kontrol.url]),
      ready: (line) => line.startsWith("registered "),
    });
  await using _connected = await start("websocket");
  await using _overHttp = await start("http");
  await using watch = new WatchRecorder(kiteOf([kontrol], "watch"), { name: "math" });
  await eventually(() => watch.present.length === 2);
  kontrol.freeze(true);
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  kontrol.freeze(false);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assertEquals(watch.present.length, 2);
  assertEquals(watch.events.length, 2, String(watch.events));
});
