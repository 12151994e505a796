/** A Go Kontrol and our Kontrol use the same database at once. Its time zone is not UTC. */

import { assert, assertEquals } from "@std/assert";
import type { KiteEvent } from "../../../src/discovery/watch.ts";
import type { Kite, KontrolQuery } from "../../../mod.ts";
import { createTestKeys, type TestKeys } from "../../../src/testing/keys.ts";
import type { TestKontrol } from "../../../src/testing/kontrol.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { skipUnlessPostgres } from "../../support/postgres.ts";
import {
  addKeyPair,
  type GoKontrol,
  KONTROL_USER,
  SharedDatabase,
  startGoKontrol,
} from "./go_kontrol.ts";
import {
  checkFoundAndCalled,
  findAll,
  goKite,
  ourKontrolledKite,
  startBriskKontrol,
} from "./setup.ts";

const go = skipUnless("go");
const postgres = await skipUnlessPostgres();
const ignore = go.ignore || postgres.ignore;

let server: SharedDatabase | undefined;
Deno.test.beforeAll(async () => {
  if (!ignore) server = await SharedDatabase.start();
});
Deno.test.afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

/** Both Kontrols in one database. */
interface Both {
  readonly database: SharedDatabase;
  readonly ours: TestKontrol;
  readonly theirs: GoKontrol;
  readonly stack: AsyncDisposableStack;
}

function sharedTest(
  name: string,
  body: (both: Both) => Promise<void>,
  { timeToLive = 90_000, flags = [] as readonly string[] } = {},
): void {
  Deno.test({
    name: `kontrol: one database with a Go Kontrol: ${name}`,
    ignore,
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const database = server!;
      const ours = stack.use(
        await startBriskKontrol({
          storage: database.open({ timeToLive }),
          keyPairsTimeToLive: 200,
        }),
      );
      const theirs = stack.use(await startGoKontrol(database, ["-heartbeat", "1s", ...flags]));
      await body({ database, ours, theirs, stack });
    },
  });
}

sharedTest("each finds, and calls, what registered at the other", async (both) => {
  const { ours, theirs, stack } = both;
  const queries: KontrolQuery[] = [];
  for (const [at, kiteKey] of await kiteKeys(both, "owner")) {
    const url = at === "ours" ? ours.url : theirs.url;
    for (const way of ["register", "registerHttp"] as const) {
      const kite = stack.use(ourKontrolledKite(kiteKey, url));
      await kite[way]((await kite.listen()).url);
      queries.push({
        username: `owner-${at}`,
        environment: "testing",
        name: "target",
        id: kite.id,
      });
    }
    for (const way of ["registerForever", "registerHTTP"]) {
      const name = `gopeer-${way}`;
      const peer = stack.use(await goKite(kiteKey, "-name", name, "-kontrol", url));
      await peer.call(way);
      queries.push({ username: `owner-${at}`, environment: "testing", name });
    }
  }

  for (const [at, kiteKey] of await kiteKeys(both, "caller")) {
    // Each kite.key at the Kontrol that did not sign it: the key pairs are shared too.
    const url = at === "ours" ? theirs.url : ours.url;
    const caller = stack.use(ourKontrolledKite(kiteKey, url));
    const peer = stack.use(await goKite(kiteKey, "-kontrol", url));
    for (const [i, query] of queries.entries()) {
      await checkFoundAndCalled(caller, query);
      const found = await findAll(peer, query);
      assertEquals(found.length, 1, JSON.stringify(query));
      await peer.call("dial", [i]);
      assertEquals(await peer.call("tell", [i, "square", i]), i * i);
    }
  }
});

/** A kite.key of each Kontrol. */
async function kiteKeys({ ours, theirs }: Both, prefix: string): Promise<[string, string][]> {
  return [
    ["ours", await ours.kiteKey(`${prefix}-ours`)],
    ["theirs", await theirs.keys.kiteKey(`${prefix}-theirs`)],
  ];
}

sharedTest("neither cleans away what is fresh, both what is old", async (both) => {
  const { database, ours, theirs, stack } = both;
  const kites: Kite[] = [];
  for (const [at, kiteKey] of await kiteKeys(both, "clean")) {
    const kite = stack.use(ourKontrolledKite(kiteKey, at === "ours" ? ours.url : theirs.url));
    await kite.register((await kite.listen()).url);
    kites.push(kite);
  }
  const ids = kites.map(({ id }) => id);
  const remaining = async (): Promise<string[]> => {
    const rows = await database.sql(`select id::text from kite.kite where username like 'clean-%'`);
    return (rows as { id: string }[]).map(({ id }) => id).sort();
  };

  await theirs.peer.call("clean");
  assertEquals(await remaining(), ids.toSorted(), "the Go cleaner leaves what is fresh");
  const stale = `insert into kite.kite
    (username, environment, kitename, version, region, hostname, id, url, key_id, updated_at)
    select username, environment, kitename, version, region, hostname, gen_random_uuid(), url, key_id,
    (now() at time zone 'utc') - interval '91 seconds' from kite.kite where username like 'clean-%'`;
  await database.sql(stale);
  // Our Kontrol removes old rows by itself, so it has checked the new rows too.
  await eventually(async () => (await remaining()).length === 2, { what: "our cleaning" });
  assertEquals(await remaining(), ids.toSorted(), "our cleaner leaves what is fresh");

  await ours.kontrol.close();
  await database.sql(`delete from kite.kite where id = '${ids[0]}'`);
  await database.sql(stale);
  assertEquals(await theirs.peer.call("clean"), 1, "the Go cleaner agrees on what is old");
  assertEquals(await remaining(), [ids[1]]);
});

sharedTest(
  "ours watches what comes and goes at the Go Kontrol",
  async ({ ours, theirs, stack }) => {
    const watcher = stack.use(ourKontrolledKite(await ours.kiteKey("watcher"), ours.url));
    const events: KiteEvent[] = [];
    await using watch = watcher.watchKites({ username: "watched" });
    const watching = (async () => {
      for await (const event of watch) events.push(event);
    })();
    const peer = stack.use(await goKite(await theirs.keys.kiteKey("watched")));
    await peer.call("registerForever");
    await eventually(() => events.length === 1, { what: "the REGISTER" });
    assertEquals([events[0]?.action, events[0]?.url], ["REGISTER", peer.url]);
    // Longer than a registration lasts without a refresh.
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    assertEquals(events.length, 1);
    await peer.kill();
    await eventually(() => events.length === 2, { withinMs: 15_000, what: "the DEREGISTER" });
    assertEquals(events[1]?.action, "DEREGISTER");
    await watch.close();
    await watching;
  },
  { timeToLive: 4_000, flags: ["-update", "1s", "-delay", "2s", "-ttl", "4s"] },
);

sharedTest("key pairs that one adds and deletes count at the other", async (both) => {
  const { ours, theirs, stack } = both;
  const { keys } = ours.kontrol;
  const [first, second] = await Promise.all([newKeys(), newKeys()]);
  const pair = await keys.add(first.pair);
  const addedByOurs = await keys.signKiteKey("added-by-ours", pair);
  const id = await addKeyPair(theirs, second);
  const addedByTheirs = await second.kiteKey("added-by-theirs");

  const registers = [[addedByOurs, theirs.url], [addedByTheirs, ours.url]] as const;
  const kites: Kite[] = [];
  for (const [kiteKey, url] of registers) {
    // The kite.key is of our Kontrol, the new keys come from Go's, which signs no handovers.
    const options = url === theirs.url ? { requireKeyHandover: false } : {};
    const kite = stack.use(ourKontrolledKite(kiteKey, url, options));
    const { kiteKey: renewed } = await kite.registerOnce((await kite.listen()).url);
    assertEquals(renewed, undefined, "the pair is valid");
    kites.push(kite);
  }

  assert(await keys.keyPairs.softDelete(pair.id));
  await theirs.peer.call("deleteKeyPair", [id]);
  const callers = [
    stack.use(ourKontrolledKite(await ours.kiteKey("caller"), ours.url)),
    stack.use(ourKontrolledKite(await theirs.keys.kiteKey("caller"), theirs.url)),
  ];
  const owners = [theirs.keys.pair.publicKey.trim(), ours.pair.publicKey.trim()];
  for (const [i, kite] of kites.entries()) {
    const { url } = (await callers[0]!.getKites({ id: kite.id }))[0]!;
    const renewed = async () => (await kite.registerOnce(url)).kiteKey;
    await eventually(renewed, { what: "a kite.key signed anew" });
    assertEquals((await kite.getKey()).trim(), owners[i]);
    const { username } = kite.identity;
    const query = { username, environment: "testing", name: "target" };
    for (const caller of callers) await checkFoundAndCalled(caller, query);
  }
});

function newKeys(): Promise<TestKeys> {
  return createTestKeys({ kontrolUser: KONTROL_USER });
}
