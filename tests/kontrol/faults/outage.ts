import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Kite, KiteError } from "../../../mod.ts";
import { eventually } from "../../support/eventually.ts";
import { kiteOf, type KontrolProcess, listedKite } from "./kontrol_process.ts";
import { ms, QueryLoop, tell, WatchRecorder } from "./observers.ts";

const QUERY = { name: "math" };

const NOWHERE = "http://127.0.0.1:1/kite";

/** Every error names what failed, the storage, and the reason. */
const CLEAR = /^Cannot [a-z ]+ \((etcd|postgres) storage\): ./;

/**
 * Milliseconds within which Kontrol answers, come what may: twice the bound of a storage, as a query may
 * have to wait for one like it that is under way, and some more.
 */
const BOUND = 12_000;

/** Longer than the grace that Kontrol gives a kite whose connection has closed, and its next look. */
const BEYOND_GRACE = 1_700;

/** Milliseconds within which everything is as it was, once the storage is back. */
const HEALED = 20_000;

/** A storage that is taken away, and given back. */
export interface Outage {
  readonly name: string;
  /**
   * Whether the storage comes back without its registrations.
   *
   * @default false
   */
  readonly isLossy?: boolean;
  stop(): Promise<void>;
  restart(): Promise<void>;
}

/** Takes the storage of two Kontrols away, looks at what they say, and gives it back. */
export async function testOutage(
  kontrols: readonly [KontrolProcess, KontrolProcess],
  outage: Outage,
): Promise<void> {
  const [first, second] = kontrols;
  await using overWebSocket = await listedKite([first], "math");
  await using overHttp = await listedKite([second], "math", { isHttp: true });
  const ids = [overWebSocket.id, overHttp.id];
  await using witness = new WatchRecorder(kiteOf([second], "witness"), QUERY);
  await using seeker = new QueryLoop(kiteOf([first], "seeker", { timeout: 2 * BOUND }), QUERY, ids);
  const leaver = await listedKite([first], "math");
  await eventually(() => witness.present.length === 3 && seeker.good > 0);

  await outage.stop();
  await leaver[Symbol.asyncDispose]();
  const left = performance.now();
  try {
    await assertAway(kontrols);
  } catch (error) {
    // A server that hangs would not even end.
    await outage.restart();
    throw error;
  }
  // By now Kontrol has tried to remove the one that has left.
  const rest = left + BEYOND_GRACE - performance.now();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, rest)));
  // Those that come meanwhile are taken in when it is back.
  const late = listedKite([second], "math");
  const lateHttp = listedKite([first], "math", { isHttp: true });
  await Promise.all(kontrols.map(async (kontrol) => assert(await kontrol.isRunning())));

  const begin = performance.now();
  await outage.restart();
  const back = performance.now();
  await eventually(async () => {
    return (await Promise.all(kontrols.map((kontrol) => kontrol.ready())))
      .every(({ status }) => status === 200);
  }, { withinMs: HEALED, what: "that both Kontrols are ready again" });
  const ready = performance.now();
  seeker.reset();
  await eventually(() => seeker.good > 0, { withinMs: HEALED, what: "every kite" });
  const found = performance.now();
  await using newcomer = await late;
  await using httpNewcomer = await lateHttp;
  const all = [...ids, newcomer.id, httpNewcomer.id].sort();
  seeker.expect(all);
  seeker.reset();
  await eventually(() => seeker.good > 0, { withinMs: HEALED, what: "the late ones too" });
  const complete = performance.now();
  await eventually(() => String(witness.present) === String(all), { withinMs: HEALED });
  if (outage.isLossy !== true) {
    for (const id of all) assertEquals(witness.of({ id }), "REGISTER", "one event and no more");
    assertEquals(witness.of(leaver), "REGISTER,DEREGISTER");
  }
  tell(
    `${outage.name}: it took ${ms(back - begin)} to start; after that ready in ` +
      `${ms(ready - back)}, every kite found in ${ms(found - back)}, late ones in ` +
      `${ms(complete - back)}, told to watchers in ${ms(performance.now() - back)}`,
  );
}

/** Every way to ask a Kontrol is answered, with a clear error, within the bound. */
async function assertAway(kontrols: readonly KontrolProcess[]): Promise<void> {
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
  tell(`the slowest of all answers meanwhile took ${ms(slowest)}`);
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
