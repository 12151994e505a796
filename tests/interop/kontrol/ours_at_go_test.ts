/** Kites of ours at a real Go Kontrol on PostgreSQL. */

import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { type Kite, KiteError } from "../../../mod.ts";
import { eventually } from "../../support/eventually.ts";
import { skipUnless } from "../../support/parts.ts";
import { skipUnlessPostgres } from "../../support/postgres.ts";
import { type GoKontrol, SharedDatabase, startGoKontrol } from "./go_kontrol.ts";
import { audienceOf, checkFoundAndCalled, goKite, ourKontrolledKite } from "./setup.ts";

const go = skipUnless("go");
const postgres = await skipUnlessPostgres();
const ignore = go.ignore || postgres.ignore;

let database: SharedDatabase | undefined;
let kontrol: GoKontrol | undefined;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  database = await SharedDatabase.start();
  kontrol = await startGoKontrol(database, ["-heartbeat", "1s", "-delay", "2s", "-update", "1s"]);
});

Deno.test.afterAll(async () => {
  await kontrol?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

async function kiteOf(username: string): Promise<Kite> {
  return ourKontrolledKite(await kontrol!.keys.kiteKey(username), kontrol!.url);
}

for (const way of ["register", "registerOnce", "registerHttp"] as const) {
  Deno.test({
    name: `kontrol: ours registers at a Go Kontrol, is found and called (${way})`,
    ignore,
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const kite = stack.use(await kiteOf(`owner-${way}`));
      const { url } = await kite.listen();
      const result = await kite[way](url);
      assertEquals(result.url, url);

      const caller = stack.use(await kiteOf("bob"));
      const query = { username: kite.identity.username, environment: "testing", name: "target" };
      const token = await checkFoundAndCalled(caller, query);
      assertEquals(audienceOf(token), `/owner-${way}/testing/target`);
      // The token of a query by id alone is good for every kite there.
      await checkFoundAndCalled(caller, { id: kite.id });

      const peer = stack.use(await goKite(await kontrol!.keys.kiteKey("alice")));
      await peer.call("getKites", [query]);
      await peer.call("dial", [0]);
      assertEquals(await peer.call("tell", [0, "square", 4]), 16);
    },
  });
}

Deno.test({
  name: "kontrol: the Go Kontrol hears our heartbeats",
  ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const ways = ["register", "registerHttp"] as const;
    const kites = await Promise.all(ways.map(async (way) => {
      const kite = stack.use(await kiteOf(`beating-${way}`));
      await kite[way]((await kite.listen()).url);
      return kite;
    }));
    const updates = async (): Promise<number[]> => {
      const ids = kites.map(({ id }) => `'${id}'`).join();
      const rows = await database!.sql(
        `select extract(epoch from updated_at)::float8 as at from kite.kite where id in (${ids})`,
      );
      return (rows as { at: number }[]).map(({ at }) => at);
    };
    const before = Math.max(...await updates());
    // Later than the silence that it stands, the rows are still brought up to date.
    await eventually(async () => Math.min(...await updates()) > before + 4, {
      withinMs: 15_000,
      what: "an update of both rows",
    });
  },
});

Deno.test({
  name: "kontrol: ours gets tokens and the key from a Go Kontrol, and its refusals",
  ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const kite = stack.use(await kiteOf("dora"));
    await kite.register((await kite.listen()).url);
    const caller = stack.use(await kiteOf("bob"));

    const { username, environment, name, id } = kite.identity;
    const query = { username, environment, name };
    const token = await caller.getToken(query);
    assertEquals(audienceOf(token), "/dora/testing/target");
    assertEquals(await caller.getToken(query), token);
    assertNotEquals(await caller.getTokenForce(query), token);
    assertEquals((await caller.getKey()).trim(), kontrol!.keys.pair.publicKey.trim());

    const none = () => caller.getKites({ name: "nosuch" });
    await assertRejects(none, KiteError, "no kites availabile");
    await assertRejects(() => caller.getToken({ name: "nosuch" }), KiteError, "no kites found");
    // A Go Kontrol does not know watches, and says nothing of them: the list is all that comes.
    using watch = caller.watchKites({ id });
    for await (const event of watch) {
      assertEquals([event.action, event.kite], ["REGISTER", kite.identity]);
      break;
    }
  },
});

Deno.test({
  name: "kontrol: ours takes over the keys of a Go Kontrol that deleted the old ones",
  ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    // Its kite.key is signed with the pair that stays; the kites' pair is another one.
    const strangers = await startGoKontrol(database!);
    stack.use(strangers);
    const kiteKey = await strangers.keys.kiteKey("edgar");
    await strangers[Symbol.asyncDispose]();
    const [row] = await database!.sql(
      `update kite.key set deleted_at = (now() at time zone 'utc')
       where public = '${strangers.keys.pair.publicKey.trim()}' returning id`,
    );
    assert(row !== undefined);

    const caller = stack.use(await kiteOf("bob"));
    for (const way of ["registerOnce", "registerHttp"] as const) {
      const kite = stack.use(ourKontrolledKite(kiteKey, kontrol!.url));
      const { kiteKey: renewed } = await kite[way]((await kite.listen()).url);
      assertNotEquals(renewed, undefined);
      await checkFoundAndCalled(caller, { username: "edgar", environment: "testing", id: kite.id });
      assertEquals((await kite.getKey()).trim(), kontrol!.keys.pair.publicKey.trim());
    }
  },
});
