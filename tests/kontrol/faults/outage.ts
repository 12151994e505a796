import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Kite, KiteError } from "../../../mod.ts";
import { eventually } from "../../support/eventually.ts";
import { kiteOf, type KontrolProcess, listedKite } from "./kontrol_process.ts";
import { ms, print, QueryLoop, WatchRecorder } from "./observers.ts";

const QUERY = { name: "math" };

const NOWHERE = "http://127.0.0.1:1/kite";

/** Every error names what failed, the storage, and the reason. */
const CLEAR = /^Cannot [a-z ]+ \((etcd|postgres) storage\): ./;

/**
 * Milliseconds within which Kontrol always answers: twice the operation timeout, since a query may
 * have to wait for an equal one, with a margin.
 */
const BOUND = 12_000;

/** Milliseconds; longer than the grace period after a disconnect and the next sweep. */
const BEYOND_GRACE = 1_700;

/** Milliseconds within which Kontrol recovers after the storage is available again. */
const RECOVERY = 20_000;

/** A way to interrupt a storage. */
export interface Outage {
  readonly name: string;
  /**
   * Whether the storage loses its registrations.
   *
   * @default false
   */
  readonly isLossy?: boolean;
  stop(): Promise<void>;
  restart(): Promise<void>;
}

/** Interrupts the storage of two Kontrols, checks their answers, and restores it. */
export async function testOutage(
  kontrols: readonly [KontrolProcess, KontrolProcess],
  outage: Outage,
): Promise<void> {
  const [first, second] = kontrols;
  await using overWebSocket = await listedKite([first], "math");
  await using overHttp = await listedKite([second], "math", { isHttp: true });
  const ids = [overWebSocket.id, overHttp.id];
  await using watch = new WatchRecorder(kiteOf([second], "watch"), QUERY);
  await using queries = new QueryLoop(
    kiteOf([first], "queries", { timeout: 2 * BOUND }),
    QUERY,
    ids,
  );
  const leaver = await listedKite([first], "math");
  await eventually(() => watch.present.length === 3 && queries.good > 0);

  await outage.stop();
  await leaver[Symbol.asyncDispose]();
  const left = performance.now();
  try {
    await assertUnavailable(kontrols);
  } catch (error) {
    // Otherwise a suspended server would not stop.
    await outage.restart();
    throw error;
  }
  // Wait until Kontrol has tried to remove the kite that disconnected.
  const rest = left + BEYOND_GRACE - performance.now();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, rest)));
  // Kites that register during the outage are added after it.
  const late = listedKite([second], "math");
  const lateHttp = listedKite([first], "math", { isHttp: true });
  await Promise.all(kontrols.map(async (kontrol) => assert(await kontrol.isRunning())));

  const begin = performance.now();
  await outage.restart();
  const back = performance.now();
  await eventually(async () => {
    return (await Promise.all(kontrols.map((kontrol) => kontrol.ready())))
      .every(({ status }) => status === 200);
  }, { withinMs: RECOVERY, what: "that both Kontrols are ready again" });
  const ready = performance.now();
  queries.reset();
  await eventually(() => queries.good > 0, { withinMs: RECOVERY, what: "every kite" });
  const found = performance.now();
  await using newcomer = await late;
  await using httpNewcomer = await lateHttp;
  const all = [...ids, newcomer.id, httpNewcomer.id].sort();
  queries.expect(all);
  queries.reset();
  await eventually(() => queries.good > 0, { withinMs: RECOVERY, what: "the late ones too" });
  const complete = performance.now();
  await eventually(() => String(watch.present) === String(all), { withinMs: RECOVERY });
  if (outage.isLossy !== true) {
    for (const id of all) assertEquals(watch.of({ id }), "REGISTER", "exactly one event");
    assertEquals(watch.of(leaver), "REGISTER,DEREGISTER");
  }
  print(
    `${outage.name}: restarted in ${ms(back - begin)}; after that, ready in ` +
      `${ms(ready - back)}, all kites found in ${ms(found - back)}, late ones in ` +
      `${ms(complete - back)}, delivered to watches in ${ms(performance.now() - back)}`,
  );
}

/** Fails unless every request to the Kontrols is answered with a clear error within the bound. */
async function assertUnavailable(kontrols: readonly KontrolProcess[]): Promise<void> {
  let slowest = 0;
  const timed = async <T>(work: Promise<T>): Promise<T> => {
    const begin = performance.now();
    const result = await work;
    slowest = Math.max(slowest, performance.now() - begin);
    return result;
  };
  await Promise.all(kontrols.map(async (kontrol) => {
    await using asker = kiteOf([kontrol], "asker", { timeout: 2 * BOUND });
    await Promise.all([
      timed(assertFails(asker.getKites(QUERY))),
      timed(assertFails(asker.getToken(QUERY))),
      timed(assertFails(asker.registerOnce(NOWHERE))),
      timed(assertRefusesPost(kontrol, asker)),
      timed(assertNotReady(kontrol)),
      ...["/healthz", "/metrics", "/.well-known/jwks.json"].map(async (path) => {
        const page = await timed(fetch(kontrol.base + path));
        await page.body?.cancel();
        assertEquals(page.status, 200, path);
      }),
    ]);
  }));
  print(`the slowest answer during the outage took ${ms(slowest)}`);
  assert(slowest < BOUND, `an answer took ${ms(slowest)}`);
}

async function assertFails(work: Promise<unknown>): Promise<void> {
  const error = await assertRejects(() => work, KiteError);
  assertEquals(error.type, "storageError", String(error));
  assertMatch(error.message, CLEAR);
}

async function assertNotReady(kontrol: KontrolProcess): Promise<void> {
  const { status, text } = await kontrol.ready();
  assertEquals(status, 503);
  assertMatch(text, CLEAR);
}

async function assertRefusesPost({ base, home }: KontrolProcess, asker: Kite): Promise<void> {
  const key = await Deno.readTextFile(`${home}/kite.key`);
  const response = await fetch(`${base}/register`, {
    method: "POST",
    body: JSON.stringify({
      url: NOWHERE,
      kite: { ...asker.identity, id: crypto.randomUUID() },
      auth: { type: "kiteKey", key },
    }),
  });
  assertEquals(response.status, 503);
  assertMatch((await response.json()).err, CLEAR);
}
