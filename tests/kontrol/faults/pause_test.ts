import { assert, assertEquals, assertRejects } from "@std/assert";
import { KiteError } from "../../../mod.ts";
import { eventually } from "../../support/eventually.ts";
import { TestProcess } from "../../support/process.ts";
import { denoRun, kiteOf, KontrolProcess } from "./kontrol_process.ts";
import { ms, tell, WatchRecorder } from "./observers.ts";

const KONTROL = new URL("./kontrol_program.ts", import.meta.url);
const KITE = new URL("./kite_program.ts", import.meta.url);

/** A second is the shortest interval that there is on the wire. */
const LIVENESS = { heartbeatInterval: 1_000, heartbeatGrace: 1_000 };

/** The longest silence, and the time until Kontrol looks again, and some more. */
const GONE_WITHIN = 2_000 + 500 + 1_500;

/** The interval, the pause after a heartbeat that failed, and some more. */
const BACK_WITHIN = 1_000 + 1_000 + 1_500;

for (const over of ["websocket", "http"]) {
  Deno.test(`faults: a kite that stands still goes, and comes back by itself, over ${over}`, async () => {
    await using kontrol = await KontrolProcess.start({
      storage: ["-storage=sqlite"],
      script: KONTROL,
      env: { LIVENESS: JSON.stringify(LIVENESS) },
    });
    await using kite = await TestProcess.start({
      ...denoRun(KITE, ["math", over, kontrol.home, kontrol.url]),
      ready: (line) => line.startsWith("registered "),
    });
    await using witness = new WatchRecorder(kiteOf([kontrol], "witness"), { name: "math" });
    await eventually(() => witness.present.length === 1);
    // It lives by its heartbeats, for longer than the longest silence.
    await new Promise((resolve) => setTimeout(resolve, 2_600));
    assertEquals(witness.events.length, 1);

    const stopped = performance.now();
    Deno.kill(kite.pid, "SIGSTOP");
    await eventually(() => witness.present.length === 0, { withinMs: 2 * GONE_WITHIN });
    const gone = performance.now() - stopped;
    await using seeker = kiteOf([kontrol], "seeker");
    await assertRejects(() => seeker.getKites({ name: "math" }), KiteError, "no kites");

    const resumed = performance.now();
    Deno.kill(kite.pid, "SIGCONT");
    await eventually(() => witness.present.length === 1, { withinMs: 2 * BACK_WITHIN });
    const back = performance.now() - resumed;
    const [client] = await seeker.getKites({ name: "math" });
    await client?.dial();
    assertEquals(await client?.tell("square", 5), 25);
    tell(`over ${over}: gone ${ms(gone)} after it stood still, back ${ms(back)} after it went on`);
    assert(gone > 900 && gone < GONE_WITHIN, ms(gone));
    assert(back < BACK_WITHIN, ms(back));
    assertEquals(witness.events.length, 3, String(witness.events));
  });
}

Deno.test("faults: a Kontrol that stands still loses none of its kites", async () => {
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
  await using witness = new WatchRecorder(kiteOf([kontrol], "witness"), { name: "math" });
  await eventually(() => witness.present.length === 2);
  kontrol.freeze(true);
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  kontrol.freeze(false);
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  assertEquals(witness.present.length, 2);
  assertEquals(witness.events.length, 2, String(witness.events));
});
