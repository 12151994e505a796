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
import { QueryLoop, tell, WatchRecorder } from "./observers.ts";

const WITHIN = 10_000;

/** Milliseconds for which clients may be without a kite that is there. */
const LONGEST_GAP = 3_000;

const QUERY = { name: "math" };

/** Kites over WebSocket at either Kontrol, beside one over HTTP. */
const SOCKETS = 2;

/** Kills each of two Kontrols in turn while kites come and go. */
async function killEach(storage: readonly string[]): Promise<void> {
  await using first = await KontrolProcess.start({ storage });
  await using second = await KontrolProcess.start({ storage });
  const [here, there] = [[first, second], [second, first]] as const;
  await using stays = await listAll(here, there);
  await using witness = new WatchRecorder(kiteOf(here, "witness"), QUERY);
  await using farWitness = new WatchRecorder(kiteOf(there, "witness"), QUERY);
  await using seeker = new QueryLoop(kiteOf(here, "seeker", { timeout: 2_000 }), QUERY, stays.ids);
  const witnesses = [witness, farWitness];
  await eventually(() => witnesses.every(({ present }) => present.length === stays.ids.length), {
    withinMs: WITHIN,
  });

  const expected: ListedKite[] = [];
  for (const [victim, survivor] of [here, there]) {
    const leaves = await listedKite([survivor, victim], "math");
    await eventually(() => witnesses.every((each) => each.present.includes(leaves.id)), {
      withinMs: WITHIN,
    });
    const moves = stays.registrations;
    await victim.kill();
    const comes = await listedKite([victim, survivor], "math");
    await leaves[Symbol.asyncDispose]();
    expected.push(comes);
    const ids = [...stays.ids, ...expected.map(({ id }) => id)].sort();
    await eventually(() => witnesses.every(({ present }) => String(present) === String(ids)), {
      withinMs: WITHIN,
      what: "that both watchers know who is there",
    });
    for (const each of witnesses) assertEquals(each.of(leaves), "REGISTER,DEREGISTER");
    // Those that were at the victim are at the survivor now, by themselves.
    await eventually(() => stays.registrations >= moves + SOCKETS, {
      withinMs: WITHIN,
    });
    await victim.restart();
  }
  for (const each of witnesses) {
    for (const id of [...stays.ids, ...expected.map(({ id }) => id)]) {
      assertEquals(each.of({ id }), "REGISTER", "one event and no more");
    }
  }
  tell(String(seeker));
  assert(seeker.good > 20, String(seeker));
  assertEquals(seeker.incomplete, 0, String(seeker));
  assert(seeker.longestGap < LONGEST_GAP, String(seeker));
  for (const kite of expected) await kite[Symbol.asyncDispose]();
}

/** Kites at either Kontrol, over WebSocket and over HTTP. */
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
  name: "faults: a Kontrol of two on etcd is killed, and no kite is lost",
  ...skipUnless("etcd"),
  fn: async () => {
    await using cluster = await TestEtcd.start(1);
    await killEach(etcdFlags(cluster));
  },
});

Deno.test({
  name: "faults: a Kontrol of two on PostgreSQL is killed, and no kite is lost",
  ...await skipUnlessPostgres(),
  fn: async () => {
    await using server = await TestPostgres.start();
    await killEach(postgresFlags(server, await server.createDatabase()));
  },
});

Deno.test("faults: a Kontrol of two on an SQLite file is killed, and no kite is lost", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kite_sqlite_" });
  try {
    await killEach([`-sqlitefile=${directory}/kontrol.db`]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
