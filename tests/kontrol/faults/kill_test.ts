import { assert, assertEquals } from "@std/assert";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import {
  etcdFlags,
  kiteOf,
  KontrolProcess,
  type ListedKite,
  listedKite,
  postgresFlags,
} from "./kontrol_process.ts";
import { print, QueryLoop, WatchRecorder } from "./observers.ts";

const WITHIN = 10_000;

/** Maximum number of milliseconds for which queries may miss a registered kite. */
const LONGEST_GAP = 3_000;

const QUERY = { name: "math" };

/** Kites over WebSocket at each Kontrol, in addition to one over HTTP. */
const SOCKETS = 2;

/** Kills each of two Kontrols in turn while kites are added and removed. */
async function killEach(storage: readonly string[]): Promise<void> {
  await using first = await KontrolProcess.start({ storage });
  await using second = await KontrolProcess.start({ storage });
  const [here, there] = [[first, second], [second, first]] as const;
  await using stays = await listAll(here, there);
  await using watch = new WatchRecorder(kiteOf(here, "watch"), QUERY);
  await using otherWatch = new WatchRecorder(kiteOf(there, "watch"), QUERY);
  await using queries = new QueryLoop(
    kiteOf(here, "queries", { timeout: 2_000 }),
    QUERY,
    stays.ids,
  );
  const watches = [watch, otherWatch];
  await eventually(() => watches.every(({ present }) => present.length === stays.ids.length), {
    withinMs: WITHIN,
  });

  const expected: ListedKite[] = [];
  for (const [victim, survivor] of [here, there]) {
    const leaves = await listedKite([survivor, victim], "math");
    await eventually(() => watches.every((each) => each.present.includes(leaves.id)), {
      withinMs: WITHIN,
    });
    const moves = stays.registrations;
    await victim.kill();
    const comes = await listedKite([victim, survivor], "math");
    await leaves[Symbol.asyncDispose]();
    expected.push(comes);
    const ids = [...stays.ids, ...expected.map(({ id }) => id)].sort();
    await eventually(() => watches.every(({ present }) => String(present) === String(ids)), {
      withinMs: WITHIN,
      what: "that both watches have the current state",
    });
    for (const each of watches) assertEquals(each.of(leaves), "REGISTER,DEREGISTER");
    // The victim's kites have moved to the survivor.
    await eventually(() => stays.registrations >= moves + SOCKETS, {
      withinMs: WITHIN,
    });
    await victim.restart();
  }
  for (const each of watches) {
    for (const id of [...stays.ids, ...expected.map(({ id }) => id)]) {
      assertEquals(each.of({ id }), "REGISTER", "exactly one event");
    }
  }
  print(String(queries));
  assert(queries.good > 20, String(queries));
  assertEquals(queries.incomplete, 0, String(queries));
  assert(queries.longestGap < LONGEST_GAP, String(queries));
  for (const kite of expected) await kite[Symbol.asyncDispose]();
}

/** Registers kites at each Kontrol, over WebSocket and over HTTP. */
async function listAll(
  ...sides: readonly (readonly KontrolProcess[])[]
): Promise<AsyncDisposable & { readonly ids: string[]; readonly registrations: number }> {
  const kites: ListedKite[] = [];
  let registrations = 0;
  for (const side of sides) {
    for (let number = 0; number <= SOCKETS; number++) {
      const kite = await listedKite(side, "math", { isHttp: number === SOCKETS });
      kite.kite.onRegister(() => void registrations++);
      kites.push(kite);
    }
  }
  return {
    ids: kites.map(({ id }) => id),
    get registrations() {
      return registrations;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(kites.map((kite) => kite[Symbol.asyncDispose]()));
    },
  };
}

Deno.test({
  name: "faults: no kite is lost when one of two Kontrols on etcd is killed",
  ...skipUnless("etcd"),
  fn: async () => {
    await using cluster = await TestEtcd.start(1);
    await killEach(etcdFlags(cluster));
  },
});

Deno.test({
  name: "faults: no kite is lost when one of two Kontrols on PostgreSQL is killed",
  ...await skipUnlessPostgres(),
  fn: async () => {
    await using server = await TestPostgres.start();
    await killEach(postgresFlags(server, await server.createDatabase()));
  },
});

Deno.test("faults: no kite is lost when one of two Kontrols on an SQLite file is killed", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kite_sqlite_" });
  try {
    await killEach([`-sqlitefile=${directory}/kontrol.db`]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
