import { assertEquals } from "@std/assert";
import { TestEtcd } from "../../support/etcd.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { skipUnlessPostgres, TestPostgres } from "../../support/postgres.ts";
import { etcdFlags, kiteOf, KontrolProcess, listedKite, postgresFlags } from "./kontrol_process.ts";
import { WatchRecorder } from "./observers.ts";

const WITHIN = 10_000;

/** Milliseconds; longer than the grace period after a disconnect. */
const BEYOND_GRACE = 1_700;

/** Starts three Kontrols on one storage, and checks that changes at one are visible at all. */
async function shareOne(storage: readonly string[]): Promise<void> {
  await using first = await KontrolProcess.start({ storage });
  // Both at the same time, as after a power failure.
  const others = await Promise.all([0, 1].map(() => KontrolProcess.start({ storage })));
  await using second = others[0]!;
  await using third = others[1]!;
  await assertSharedKeys([first, second, third]);
  await using watch = new WatchRecorder(kiteOf([third], "watch"), { name: "math" });
  await callEachWay([first, second, third], watch);
  await moveAway([first, second, third], watch);
  await heartbeatElsewhere([first, second, third]);
}

type Three = readonly [KontrolProcess, KontrolProcess, KontrolProcess];

async function assertSharedKeys(kontrols: Three): Promise<void> {
  const [keys, ...others] = await Promise.all(kontrols.map(async ({ base }) => {
    return await (await fetch(`${base}/.well-known/jwks.json`)).json();
  }));
  assertEquals(keys.keys.length, 1, "the first created a pair, which the others use");
  for (const other of others) assertEquals(other, keys);
}

/** Finds and calls a kite of the first Kontrol through each of them. */
async function callEachWay(kontrols: Three, watch: WatchRecorder): Promise<void> {
  const [first, , third] = kontrols;
  await using math = await listedKite([first], "math");
  await eventually(() => watch.of(math) === "REGISTER", { withinMs: WITHIN });
  for (const kontrol of kontrols) {
    await using caller = kiteOf([kontrol], "caller");
    const [client] = await caller.getKites({ name: "math" });
    if (client === undefined) throw new Error("math was not found");
    await client.dial();
    assertEquals(await client.tell("square", 9), 81);
    assertEquals(await client.tell("who"), "kontrol by token");
  }
  // The first Kontrol accepts a kite.key of the third, and its token is valid.
  await using stranger = kiteOf([third], "stranger", { kontrolUrl: first.url });
  const key = await stranger.getToken({ id: math.id });
  const client = stranger.newClient(math.url, { authentication: { type: "token", key } });
  await client.dial();
  assertEquals(await client.tell("square", 3), 9);
  await client[Symbol.asyncDispose]();
}

/** A kite that has moved to another Kontrol stays listed when its first connection ends. */
async function moveAway([first, second, third]: Three, watch: WatchRecorder): Promise<void> {
  await using math = await listedKite([first], "math");
  const { id } = math;
  await eventually(() => watch.of(math) === "REGISTER", { withinMs: WITHIN });
  const moved = await listedKite([second], "math", { id });
  await eventually(() => watch.of(math) === "REGISTER,REGISTER", { withinMs: WITHIN });
  await math[Symbol.asyncDispose]();
  await new Promise((resolve) => setTimeout(resolve, BEYOND_GRACE));
  await using caller = kiteOf([third], "caller");
  const found = await caller.getKites({ name: "math" });
  assertEquals(found.map(({ url }) => url), [moved.url]);
  assertEquals(watch.of(math), "REGISTER,REGISTER");
  await moved[Symbol.asyncDispose]();
  await eventually(() => watch.present.length === 0, { withinMs: WITHIN });
}

/** Registers a kite over HTTP at one Kontrol, and sends heartbeats to the others. */
async function heartbeatElsewhere([first, second, third]: Three): Promise<void> {
  const key = await Deno.readTextFile(`${third.home}/kite.key`);
  const { identity: kite } = kiteOf([first], "http");
  const url = "http://127.0.0.1:1/kite";
  const response = await fetch(`${first.base}/register`, {
    method: "POST",
    body: JSON.stringify({ url, kite, auth: { type: "kiteKey", key }, heartbeatToken: true }),
  });
  const { heartbeatToken: token } = await response.json();
  for (const { base } of [second, third, first]) {
    const heartbeat = `${base}/heartbeat?id=${kite.id}`;
    assertEquals(await (await fetch(`${heartbeat}&token=${token}`)).text(), "pong");
    assertEquals(await (await fetch(heartbeat)).text(), "registeragain", "its id is not enough");
  }
  await using caller = kiteOf([second], "caller");
  const found = await caller.getKites({ name: "http" });
  assertEquals(found.map((each) => [each.identity?.id, each.url]), [[kite.id, url]]);
}

Deno.test({
  name: "faults: three Kontrols share etcd",
  ...skipUnless("etcd"),
  fn: async () => {
    await using cluster = await TestEtcd.start(1);
    await shareOne(etcdFlags(cluster));
  },
});

Deno.test({
  name: "faults: three Kontrols share PostgreSQL",
  ...await skipUnlessPostgres(),
  fn: async () => {
    await using server = await TestPostgres.start();
    await shareOne(postgresFlags(server, await server.createDatabase()));
  },
});

Deno.test("faults: three Kontrols share an SQLite file", async () => {
  const directory = await Deno.makeTempDir({ prefix: "kite_sqlite_" });
  try {
    await shareOne([`-sqlitefile=${directory}/kontrol.db`]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
