import { assert, assertEquals, assertMatch } from "@std/assert";
import { verifyKeyHandover } from "../../src/auth/handover.ts";
import { generateKeyPair } from "../../src/auth/keys.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";

import { eventually } from "../support/eventually.ts";
import { connectTo, find, refused, startKontrol } from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";

Deno.test("register: accepts an object or a string, and answers with url and heartbeat interval", async () => {
  await using kontrol = await startKontrol();
  const { kite, client } = await connectTo(kontrol);
  assertEquals(await client.tell("register", { url: URL }), { url: URL, heartbeatInterval: 10 });
  const [found] = await find(client, { name: "caller" });
  assertEquals(found?.kite, kite.identity);
  assertEquals(found?.url, URL);
  assertEquals(found?.keyId, (await kontrol.kontrol.keys.own()).id);

  const other = "ws://127.0.0.1:3637/kite";
  assertEquals(await client.tell("register", other), { url: other, heartbeatInterval: 10 });
  const kites = await find(client, { name: "caller" });
  assertEquals(kites.map(({ url }) => url), [other], "the new url replaces the old one");
});

Deno.test("register: requests heartbeats, with the interval, before it answers", async () => {
  await using kontrol = await startKontrol({ liveness: { heartbeatInterval: 3_000 } });
  const { kite, client } = await connectTo(kontrol);
  const order: unknown[] = [];
  kite.handle("kite.heartbeat", ({ args }) => {
    order.push(args.at(0).number());
    args.at(1).function()();
    return null;
  });
  order.push(await client.tell("register", { url: URL }));
  assertEquals(order, [3, { url: URL, heartbeatInterval: 3 }]);
});

Deno.test("register: an invalid argument is refused by name, and nothing is registered", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol);
  const register = (argument: unknown) => () => client.tell("register", argument);
  await refused(register({ url: "" }), "argumentError", "empty url");
  await refused(register({}), "argumentError", "empty url");
  await refused(register(""), "argumentError", "empty url");
  for (
    const url of ["ftp://h/kite", "javascript:alert(1)", "file:///etc/passwd", "h:1/kite", "x"]
  ) {
    const message = "Cannot register the URL: must begin with http://, https://, ws:// or wss://";
    await refused(register({ url }), "argumentError", message);
  }
  await refused(
    register({ url: `http://h/${"x".repeat(3_000)}` }),
    "argumentError",
    "Cannot register the URL: must have at most 2048 characters",
  );
  for (const argument of [5, null, [URL], true]) {
    const type = await client.tell("register", argument).then(() => "none", ({ type }) => type);
    assertEquals(type, "argumentError", JSON.stringify(argument));
  }
  assertEquals(await find(client, { name: "caller" }), []);
});

Deno.test("register: requires authentication with a kite.key", async () => {
  await using kontrol = await startKontrol();
  const { kite, client } = await connectTo(kontrol);
  const token = await client.tell<string>("getToken", { name: "kontrol" });
  const [byToken, bare] = [
    kite.newClient(kontrol.url, { authentication: { type: "token", key: token } }),
    kite.newClient(kontrol.url),
  ];
  await Promise.all([byToken.dial(), bare.dial()]);
  await refused(
    () => byToken.tell("register", { url: URL }),
    "authenticationError",
    "Unexpected authentication type: token",
  );
  await refused(
    () => byToken.tell("getKey"),
    "authenticationError",
    "Unexpected authentication type: token",
  );
  await refused(
    () => bare.tell("register", { url: URL }),
    "authenticationError",
    "No authentication information is provided",
  );
  assertEquals(
    (await find(byToken, { name: "kontrol" })).length,
    1,
    "a token suffices for queries",
  );
});

Deno.test("register: uses the authenticated username, whatever the caller claims", async () => {
  await using kontrol = await startKontrol();
  const key = await kontrol.kiteKey("mallory");
  const { client } = await connectTo(kontrol, "victim", { username: "alice", kiteKey: key });
  await client.tell("register", { url: URL });
  assertEquals(await find(client, { username: "alice" }), []);
  const [found] = await find(client, { name: "victim" });
  assertEquals(found?.kite.username, "mallory");
});

Deno.test("register: a caller with a deleted key pair gets a new kite.key, the public key and its handover", async () => {
  await using kontrol = await startKontrol();
  const { keys } = kontrol.kontrol;
  const old = await keys.add(await generateKeyPair("EdDSA"));
  const own = await keys.own();
  const { kite, client } = await connectTo(kontrol, "late", {
    kiteKey: await keys.signKiteKey("testuser", old),
  });
  assertEquals(Object.keys(await client.tell<object>("register", URL)), [
    "url",
    "heartbeatInterval",
  ]);
  assertEquals(await client.tell("getKey"), old.public);
  assertEquals((await find(client, { name: "late" }))[0]?.keyId, old.id);

  await keys.keyPairs.softDelete(old.id);
  const { kiteKey, publicKey, keyHandover = "", ...rest } = await client.tell<
    Record<string, string>
  >(
    "register",
    URL,
  );
  assertEquals(rest, { url: URL, heartbeatInterval: 10 } as unknown);
  assertEquals(publicKey, own.public);
  const handover = { kontrolUser: "testuser", currentKey: old.public, nextKey: own.public };
  await verifyKeyHandover(keyHandover, handover);
  const claims = readKiteKeyClaims(kiteKey ?? "");
  assertEquals([claims.sub, claims.iss, claims.kontrolKey], ["testuser", "testuser", own.public]);
  assertEquals(claims.kontrolURL, kontrol.url);
  assertMatch(claims.jti ?? "", /^[0-9a-f-]{36}$/);
  assertEquals(await client.tell("getKey"), own.public, "the deleted key pair still authenticates");
  const asked = await client.tell<Record<string, string>>("getKey", { handoverFrom: old.public });
  assertEquals(asked.publicKey, own.public);
  await verifyKeyHandover(asked.keyHandover ?? "", handover);
  const unknown = { handoverFrom: (await generateKeyPair("EdDSA")).publicKey };
  assertEquals(await client.tell("getKey", unknown), { publicKey: own.public });
  assertEquals((await find(client, { name: "late" }))[0]?.keyId, own.id);
  assertEquals(kite.id, (await find(client, { name: "late" }))[0]?.kite.id);
});

Deno.test("register: a kite whose connection ends during the call is not left registered", async () => {
  const started = Promise.withResolvers<void>();
  const wait = Promise.withResolvers<void>();
  await using kontrol = await startKontrol({
    liveness: { disconnectGrace: 0 },
    policy: {
      mayRegister: async () => {
        started.resolve();
        await wait.promise;
        return true;
      },
    },
  });
  const watcher = await connectTo(kontrol, "watcher");
  const { client } = await connectTo(kontrol, "brief");
  const call = client.tell("register", URL).catch(() => "cut");
  await started.promise;
  client.close();
  assertEquals(await call, "cut");
  wait.resolve();
  await eventually(async () => (await find(watcher.client, { name: "brief" })).length === 0, {
    withinMs: 2_000,
    what: "removal of the kite",
  });
  assertEquals(kontrol.kontrol.metrics.text([]).includes("kontrol_registrations_total 1"), true);
});

Deno.test("register: repeated calls on one connection do not accumulate callbacks", async () => {
  await using kontrol = await startKontrol();
  const { client } = await connectTo(kontrol);
  for (let i = 0; i < 50; i++) await client.tell("register", URL);
  const [connection] = kontrol.kontrol.kite.connections;
  await eventually(() => (connection?.load.pending ?? 99) === 0);
  assert((connection?.load.callbacks ?? 99) <= 2, `${connection?.load.callbacks} callbacks`);
});
