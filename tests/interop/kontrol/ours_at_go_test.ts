/** Our kites at a Go Kontrol that stores in PostgreSQL. */

import { assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { type Kite, KiteError, type KiteOptions } from "../../../mod.ts";
import { createTestKeys } from "../../../src/testing/keys.ts";
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
import { audienceOf, checkFoundAndCalled, goKite, ourKontrolledKite } from "./setup.ts";

const go = skipUnless("go");
const postgres = await skipUnlessPostgres();
const ignore = go.ignore || postgres.ignore;

const BRISK = ["-heartbeat", "1s", "-delay", "2s", "-update", "1s"];

let database: SharedDatabase | undefined;
let kontrol: GoKontrol | undefined;

Deno.test.beforeAll(async () => {
  if (ignore) return;
  database = await SharedDatabase.start();
  kontrol = await startGoKontrol(database, BRISK);
});

Deno.test.afterAll(async () => {
  await kontrol?.[Symbol.asyncDispose]();
  await database?.[Symbol.asyncDispose]();
});

async function kiteOf(username: string, options: KiteOptions = {}): Promise<Kite> {
  return ourKontrolledKite(await kontrol!.keys.kiteKey(username), kontrol!.url, options);
}

for (
  const [way, transport] of [
    ["register", "WebSocket"],
    ["register", "XHRPolling"],
    ["registerOnce", "auto"],
    ["registerHttp", "auto"],
  ] as const
) {
  Deno.test({
    name: `kontrol: ours registers at a Go Kontrol, is found and called (${way}, ${transport})`,
    ignore,
    fn: async () => {
      await using stack = new AsyncDisposableStack();
      const username = `owner-${way}-${transport}`;
      const kite = stack.use(await kiteOf(username, { transport }));
      const { url } = await kite.listen();
      const result = await kite[way](url);
      assertEquals(result.url, url);

      const caller = stack.use(await kiteOf("bob", { transport }));
      const query = { username, environment: "testing", name: "target" };
      const token = await checkFoundAndCalled(caller, query);
      assertEquals(audienceOf(token), `/${username}/testing/target`);
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
  name: "kontrol: the Go Kontrol receives our heartbeats",
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
    assertNotEquals(await caller.getToken(query, { force: true }), token);
    assertEquals((await caller.getKey()).trim(), kontrol!.keys.pair.publicKey.trim());

    const none = () => caller.getKites({ name: "nosuch" });
    await assertRejects(none, KiteError, "no kites availabile");
    await assertRejects(() => caller.getToken({ name: "nosuch" }), KiteError, "no kites found");
    // A Go Kontrol does not know watches, and says nothing of them: the list is all that comes.
    await using watch = caller.watchKites({ id });
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
    const own = stack.use(await startGoKontrol(database!, BRISK));
    const keys = await createTestKeys({ kontrolUser: KONTROL_USER, signsHandovers: false });
    const id = await addKeyPair(own, keys);
    const kiteKey = await keys.kiteKey("edgar");
    await own.peer.call("deleteKeyPair", [id]);

    const caller = stack.use(ourKontrolledKite(await own.keys.kiteKey("bob"), own.url));
    for (const way of ["registerOnce", "registerHttp"] as const) {
      const kite = stack.use(ourKontrolledKite(kiteKey, own.url));
      const { kiteKey: renewed } = await kite[way]((await kite.listen()).url);
      assertNotEquals(renewed, undefined);
      await checkFoundAndCalled(caller, { username: "edgar", environment: "testing", id: kite.id });
      assertEquals((await kite.getKey()).trim(), own.keys.pair.publicKey.trim());
      // Who wants no change of keys without a handover is left with the old one.
      const strict = stack.use(
        ourKontrolledKite(kiteKey, own.url, { requireKeyHandover: true, logLevel: "FATAL" }),
      );
      await strict[way]((await strict.listen()).url);
      await assertRejects(() => strict.getKey(), KiteError, "without a handover");
    }
  },
});

Deno.test({
  name: "kontrol: ours renews its token at a Go Kontrol in time",
  ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    // Our kite renews its token 30 s before the end: here after 2 s.
    const brief = stack.use(
      await startGoKontrol(database!, ["-tokenttl", "31s", "-tokenleeway", "1s"]),
    );
    const [owner, caller] = ["frida", "bob"].map(async (username) =>
      stack.use(ourKontrolledKite(await brief.keys.kiteKey(username), brief.url))
    );
    const kite = await owner!;
    await kite.register((await kite.listen()).url);
    const [client] = await (await caller!).getKites({ username: "frida", name: "target" });
    const remote = stack.use(client!);
    await remote.dial();
    const keys = new Set<string>();
    await eventually(() => keys.add(remote.authentication!.key).size === 3, {
      withinMs: 15_000,
      what: "two new tokens",
    });
    assertEquals(await remote.tell("square", 4), 16);
  },
});

Deno.test({
  name: "kontrol: ours is listed again by itself after a restart of a Go Kontrol",
  ignore,
  fn: async () => {
    await using stack = new AsyncDisposableStack();
    const first = stack.use(await startGoKontrol(database!, BRISK));
    const ways = ["register", "registerHttp"] as const;
    const kites = [];
    for (const way of ways) {
      const kite = stack.use(ourKontrolledKite(await first.keys.kiteKey(`back-${way}`), first.url));
      await kite[way]((await kite.listen()).url);
      kites.push(kite);
    }
    await first.peer.kill();
    await database!.sql("delete from kite.kite where username like 'back-%'");

    stack.use(await startGoKontrol(database!, BRISK, first.keys));
    const caller = stack.use(await kiteOf("bob"));
    for (const { id, identity: { username } } of kites) {
      const query = { username, environment: "testing", name: "target", id };
      await checkFoundAndCalled(caller, query, 30_000);
    }
  },
});
