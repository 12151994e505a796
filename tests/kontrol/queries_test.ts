import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { readTokenClaims } from "../../src/auth/jwt.ts";
import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { TestKontrol } from "../../src/testing/mod.ts";
import {
  baseOf,
  connectTo,
  find,
  goQuery,
  httpRegistration,
  identity,
  post,
  refused,
  startKontrol,
} from "./support.ts";

async function add(
  kontrol: TestKontrol,
  fields: Partial<KiteIdentity>,
): Promise<KiteIdentity> {
  const body = await httpRegistration(kontrol, fields);
  assertEquals((await post(`${baseOf(kontrol)}/register`, body)).status, 200);
  return body.kite;
}

Deno.test("getKites: matches any combination of fields, and compares whole fields", async () => {
  await using kontrol = await startKontrol();
  const math = await add(kontrol, { name: "math", region: "local" });
  const bobs = await add(kontrol, { name: "math", username: "bob", region: "local2" });
  await add(kontrol, { name: "math2" });
  const { client } = await connectTo(kontrol);
  const ids = async (fields: Partial<KiteIdentity>) =>
    (await find(client, fields)).map(({ kite }) => kite.id).sort();

  assertEquals(await ids({ name: "math" }), [math.id, bobs.id].sort());
  assertEquals(await ids({ username: "bob", name: "math" }), [bobs.id]);
  assertEquals(await ids({ region: "local2" }), [bobs.id]);
  assertEquals(await ids({ region: "local", name: "math" }), [math.id]);
  assertEquals(await ids({ id: math.id }), [math.id]);
  assertEquals(await ids({ id: math.id, username: "bob" }), []);
  assertEquals(await ids({ id: "no-uuid" }), []);
  assertEquals(await ids({ id: crypto.randomUUID() }), []);
  assertEquals(await ids({ ...math }), [math.id]);
  assertEquals(await ids({ name: "nosuch" }), []);
  assertEquals(
    await ids({ name: "kontrol" }),
    [kontrol.kontrol.kite.id],
    "Kontrol is registered, too",
  );
});

Deno.test("getKites: the answer has the fields of the Go Kontrol's", async () => {
  await using kontrol = await startKontrol();
  const kite = await add(kontrol, {});
  const { client } = await connectTo(kontrol);
  const answer = await client.tell<{ kites: Record<string, unknown>[] }>("getKites", {
    query: goQuery({ name: "math" }),
    watchCallback: null,
    who: null,
  });
  assertEquals(Object.keys(answer), ["kites"]);
  const [{ token, ...found } = {}] = answer.kites;
  const keyId = (await kontrol.kontrol.keys.own()).id;
  assertEquals(found, { kite, url: "http://127.0.0.1:3636/kite", keyId } as unknown);
  const { aud, sub, iss } = readTokenClaims(String(token));
  assertEquals([aud, sub, iss], ["/testuser/test/math", "testuser", "testuser"]);
  // kite.js sends its query with or without the field, and no watchHandler.
  const bare = await client.tell<{ kites: unknown[] }>("getKites", { name: "math" });
  assertEquals(bare.kites.length, 1);
});

Deno.test("getKites: combines version constraints with other fields, also for a single candidate", async () => {
  await using kontrol = await startKontrol();
  for (const version of ["1.0.0", "1.2.3", "2.0.0", "2.1.0-rc.1"]) {
    await add(kontrol, { version, region: version.startsWith("2") ? "us" : "eu" });
  }
  const { client } = await connectTo(kontrol);
  const versions = async (version: string, fields: Partial<KiteIdentity> = {}) =>
    (await find(client, { name: "math", version, ...fields })).map(({ kite }) => kite.version)
      .sort();
  assertEquals(await versions(">= 1.0, < 2.0"), ["1.0.0", "1.2.3"]);
  assertEquals(await versions("~> 1.2"), ["1.2.3"]);
  assertEquals(await versions("!= 1.0.0"), ["1.2.3", "2.0.0"]);
  assertEquals(await versions(">= 1.0", { region: "us" }), ["2.0.0"]);
  assertEquals(await versions("2.1.0-rc.1"), ["2.1.0-rc.1"]);
  assertEquals(await versions("> 3.0", { region: "us" }), []);
  const type = await versions("abc").then(() => "none", (error) => error.type);
  assertEquals(type, "argumentError");
});

Deno.test("getKites: an invalid query is refused", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol);
  await refused(() => find(client, {}), "argumentError", "all query fields are empty");
  await refused(
    () => client.tell("getKites", { query: {} }),
    "argumentError",
    "all query fields are empty",
  );
  for (
    const bad of ["x", 5, null, [], { query: 5 }, { query: { name: 5 } }, {
      query: { name: "a/b" },
    }]
  ) {
    const type = await client.tell("getKites", bad).then(() => "none", (error) => error.type);
    assertEquals(type, "argumentError", JSON.stringify(bad));
  }
});

Deno.test("getKites: returns at most maxResults kites, in random order", async () => {
  await using kontrol = await startKontrol({ maxResults: 7 });
  for (let i = 0; i < 9; i++) await add(kontrol, {});
  const { client } = await connectTo(kontrol);
  const orders = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const found = await find(client, { name: "math" });
    assertEquals(found.length, 7);
    orders.add(found.map(({ kite }) => kite.id).join());
  }
  assert(orders.size > 10, `${orders.size} orders`);
});

Deno.test("getToken: issues a token for the only matching kite; force signs a new one", async () => {
  await using kontrol = await startKontrol();
  const math = await add(kontrol, {});
  await add(kontrol, { name: "twins" });
  await add(kontrol, { name: "twins" });
  const { client } = await connectTo(kontrol);
  const getToken = (query: unknown) => client.tell<string>("getToken", query);
  await refused(() => getToken(goQuery({ name: "nosuch" })), "genericError", "no kites found");
  await refused(
    () => getToken(goQuery({ name: "twins" })),
    "genericError",
    "query matches more than one kite",
  );
  await refused(() => getToken(goQuery({})), "argumentError", "all query fields are empty");

  const first = await getToken(goQuery({ name: "math" }));
  assertEquals(await getToken(math), first, "the token is reused");
  assertEquals((await find(client, { name: "math" }))[0]?.token, first);
  const forced = await getToken({ ...goQuery({ name: "math" }), force: true });
  assertNotEquals(forced, first);
  assertEquals(await getToken(math), forced, "the new token replaces the old one");
  assertEquals(readTokenClaims(await getToken({ id: math.id })).aud, "/testuser/test/math");
});

Deno.test("cancelWatcher: an unknown method and an unknown watch are refused", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol);
  await refused(() => client.tell("nosuch"), "methodNotFound", "Method not found: nosuch");
  await refused(
    () => client.tell("cancelWatcher", crypto.randomUUID()),
    "argumentError",
    "no watcher with that id",
  );
  const { watcherID } = await client.tell<{ watcherID: string }>("getKites", {
    query: { name: identity().name },
    watchCallback: () => {},
  });
  const other = await connectTo(kontrol, "other");
  await refused(
    () => other.client.tell("cancelWatcher", watcherID),
    "argumentError",
    "no watcher with that id",
  );
  assertEquals(await client.tell("cancelWatcher", watcherID), null);
  await refused(
    () => client.tell("cancelWatcher", watcherID),
    "argumentError",
    "no watcher with that id",
  );
});
