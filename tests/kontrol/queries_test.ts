import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { readTokenClaims } from "../../src/auth/jwt.ts";
import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { TestKontrol } from "../../src/testing/mod.ts";
import {
  baseOf,
  find,
  goQuery,
  httpRegistration,
  identity,
  lineTo,
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

Deno.test("getKites: any fields, with gaps or by id alone, whole fields only", async () => {
  await using kontrol = await startKontrol();
  const math = await add(kontrol, { name: "math", region: "local" });
  const bobs = await add(kontrol, { name: "math", username: "bob", region: "local2" });
  await add(kontrol, { name: "math2" });
  const { line } = await lineTo(kontrol);
  const ids = async (fields: Partial<KiteIdentity>) =>
    (await find(line, fields)).map(({ kite }) => kite.id).sort();

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
  assertEquals(await ids({ name: "kontrol" }), [kontrol.kontrol.kite.id], "it lists itself");
});

Deno.test("getKites: Go's answer, field by field", async () => {
  await using kontrol = await startKontrol();
  const kite = await add(kontrol, {});
  const { line } = await lineTo(kontrol);
  const answer = await line.tell<{ kites: Record<string, unknown>[] }>("getKites", {
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
  const bare = await line.tell<{ kites: unknown[] }>("getKites", { name: "math" });
  assertEquals(bare.kites.length, 1);
});

Deno.test("getKites: constraints go with further fields, also for a single candidate", async () => {
  await using kontrol = await startKontrol();
  for (const version of ["1.0.0", "1.2.3", "2.0.0", "2.1.0-rc.1"]) {
    await add(kontrol, { version, region: version.startsWith("2") ? "us" : "eu" });
  }
  const { line } = await lineTo(kontrol);
  const versions = async (version: string, fields: Partial<KiteIdentity> = {}) =>
    (await find(line, { name: "math", version, ...fields })).map(({ kite }) => kite.version).sort();
  assertEquals(await versions(">= 1.0, < 2.0"), ["1.0.0", "1.2.3"]);
  assertEquals(await versions("~> 1.2"), ["1.2.3"]);
  assertEquals(await versions("!= 1.0.0"), ["1.2.3", "2.0.0"]);
  assertEquals(await versions(">= 1.0", { region: "us" }), ["2.0.0"]);
  assertEquals(await versions("2.1.0-rc.1"), ["2.1.0-rc.1"]);
  assertEquals(await versions("> 3.0", { region: "us" }), []);
  const type = await versions("abc").then(() => "none", (error) => error.type);
  assertEquals(type, "argumentError");
});

Deno.test("getKites: what is no query is refused", async () => {
  await using kontrol = await startKontrol();
  const { line } = await lineTo(kontrol);
  await refused(() => find(line, {}), "argumentError", "all query fields are empty");
  await refused(
    () => line.tell("getKites", { query: {} }),
    "argumentError",
    "all query fields are empty",
  );
  for (
    const bad of ["x", 5, null, [], { query: 5 }, { query: { name: 5 } }, {
      query: { name: "a/b" },
    }]
  ) {
    const type = await line.tell("getKites", bad).then(() => "none", (error) => error.type);
    assertEquals(type, "argumentError", JSON.stringify(bad));
  }
});

Deno.test("getKites: answers come in an order of chance, at most so many", async () => {
  await using kontrol = await startKontrol({ maxResults: 7 });
  for (let i = 0; i < 9; i++) await add(kontrol, {});
  const { line } = await lineTo(kontrol);
  const orders = new Set<string>();
  for (let i = 0; i < 20; i++) {
    const found = await find(line, { name: "math" });
    assertEquals(found.length, 7);
    orders.add(found.map(({ kite }) => kite.id).join());
  }
  assert(orders.size > 10, `${orders.size} orders`);
});

Deno.test("getToken: for the one kite that matches; force signs a new one", async () => {
  await using kontrol = await startKontrol();
  const math = await add(kontrol, {});
  await add(kontrol, { name: "twins" });
  await add(kontrol, { name: "twins" });
  const { line } = await lineTo(kontrol);
  const getToken = (query: unknown) => line.tell<string>("getToken", query);
  await refused(() => getToken(goQuery({ name: "nosuch" })), "genericError", "no kites found");
  await refused(
    () => getToken(goQuery({ name: "twins" })),
    "genericError",
    "query matches more than one kite",
  );
  await refused(() => getToken(goQuery({})), "argumentError", "all query fields are empty");

  const first = await getToken(goQuery({ name: "math" }));
  assertEquals(await getToken(math), first, "the same is handed out again");
  assertEquals((await find(line, { name: "math" }))[0]?.token, first);
  const forced = await getToken({ ...goQuery({ name: "math" }), force: true });
  assertNotEquals(forced, first);
  assertEquals(await getToken(math), forced, "the forced one takes the place of the former");
  assertEquals(readTokenClaims(await getToken({ id: math.id })).aud, "/testuser/test/math");
});

Deno.test("cancelWatcher, unknown methods and wrong arguments are answered as such", async () => {
  await using kontrol = await startKontrol();
  const { line } = await lineTo(kontrol);
  await refused(() => line.tell("nosuch"), "methodNotFound", "Method not found: nosuch");
  await refused(
    () => line.tell("cancelWatcher", crypto.randomUUID()),
    "argumentError",
    "no watcher with that id",
  );
  const { watcherID } = await line.tell<{ watcherID: string }>("getKites", {
    query: { name: identity().name },
    watchCallback: () => {},
  });
  const other = await lineTo(kontrol, "other");
  await refused(
    () => other.line.tell("cancelWatcher", watcherID),
    "argumentError",
    "no watcher with that id",
  );
  assertEquals(await line.tell("cancelWatcher", watcherID), null);
  await refused(
    () => line.tell("cancelWatcher", watcherID),
    "argumentError",
    "no watcher with that id",
  );
});
