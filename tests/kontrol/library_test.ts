import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import {
  createKiteKey,
  createKontrol,
  generateKeyPair,
  importPrivateKey,
  Kontrol,
  MemoryStorage,
  SqliteStorage,
} from "../../kontrol/mod.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import {
  baseOf,
  find,
  httpRegistration,
  lineTo,
  post,
  refused,
  startKontrol,
  TemporaryFolder,
} from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";

Deno.test("a Kontrol is a kite: methods, authenticators, hooks and paths of the owner's own", async () => {
  await using kontrol = await startKontrol();
  const { kite } = kontrol.kontrol;
  kite.handle("motd", ({ username }) => `hello ${username}`);
  kite.addAuthenticator("badge", ({ key }) => {
    if (key !== "gold") throw new Error("no such badge");
    return "alice";
  });
  const calls: string[] = [];
  kite.preHandle(({ method }) => void calls.push(method));
  kite.handleHttp("/about", () => new Response("a Kontrol"));
  const caller = await kontrol.newKite("caller");
  const line = caller.newClient(kontrol.url, { authentication: { type: "badge", key: "gold" } });
  await line.dial();
  assertEquals(await line.tell("motd"), "hello alice");
  assertEquals((await find(line, { name: "kontrol" })).length, 1);
  line.authentication = { type: "badge", key: "tin" };
  await refused(() => line.tell("motd"), "authenticationError", "badge: no such badge");
  assertEquals(calls, ["motd", "getKites"]);
  assertEquals(await (await fetch(`${baseOf(kontrol)}/about`)).text(), "a Kontrol");
});

Deno.test("key pairs come and go while Kontrol runs", async () => {
  await using kontrol = await startKontrol();
  const { keys } = kontrol.kontrol;
  const outside = await createTestKeys({ algorithm: "EdDSA", kontrolUrl: kontrol.url });
  const kiteKey = await outside.kiteKey("alice");
  const options = { username: "alice", kiteKey };
  const { line } = await lineTo(kontrol, "guest", options);
  const unknown = "kiteKey: no key pair found";
  await refused(() => line.tell("register", URL), "authenticationError", unknown);
  const added = await keys.add(outside.pair);
  assertEquals(Object.keys(await line.tell<object>("register", URL)), ["url", "heartbeatInterval"]);
  assertEquals((await find(line, { name: "guest" }))[0]?.keyId, added.id);
  await keys.keyPairs.softDelete(added.id);
  assert("kiteKey" in await line.tell<object>("register", URL), "it is told to change keys");

  const one = await generateKeyPair("EdDSA");
  const two = await generateKeyPair("EdDSA");
  await assertRejects(
    () => keys.add({ publicKey: one.publicKey, privateKey: two.privateKey }),
    KiteError,
    "the public key is not that of the private key",
  );
});

Deno.test("policy compatible: everyone finds and may call everything", async () => {
  await using kontrol = await startKontrol();
  await post(`${baseOf(kontrol)}/register`, await httpRegistration(kontrol, { username: "bob" }));
  const alice = await lineTo(kontrol, "caller", { username: "alice" });
  assertEquals((await find(alice.line, { name: "math" })).length, 1);
  assertEquals(typeof await alice.line.tell("getToken", { name: "math" }), "string");
});

Deno.test("policy strict: callers find their own user's kites only, in every way", async () => {
  await using kontrol = await startKontrol({ policy: "strict" });
  const events: string[] = [];
  const alice = await lineTo(kontrol, "caller", { username: "alice" });
  const watch = await alice.line.tell<{ kites: unknown[] }>("getKites", {
    query: { name: "math" },
    watchCallback: ({ result }: { result: { action: string; kite: { username: string } } }) =>
      events.push(`${result.action} ${result.kite.username}`),
  });
  assertEquals(watch.kites, []);
  const bobs = await httpRegistration(kontrol, { username: "bob" });
  const hers = await httpRegistration(kontrol, { username: "alice" });
  for (const body of [bobs, hers]) await post(`${baseOf(kontrol)}/register`, body);
  assertEquals((await find(alice.line, { name: "math" })).map(({ kite }) => kite), [hers.kite]);
  assertEquals(await find(alice.line, { username: "bob" }), []);
  await refused(
    () => alice.line.tell("getToken", { id: bobs.kite.id }),
    "genericError",
    "no kites found",
  );
  assertEquals(typeof await alice.line.tell("getToken", { name: "math" }), "string");
  await post(`${baseOf(kontrol)}/register`, { ...hers, url: "http://127.0.0.1:2/kite" });
  await alice.line.tell("kite.ping");
  assertEquals(events, ["REGISTER alice", "REGISTER alice"]);
});

Deno.test("policy of the owner's own: who may register what where, and who may call", async () => {
  await using kontrol = await startKontrol({
    policy: {
      mayRegister: ({ username }, { name }, url) =>
        Promise.resolve(username !== "bob" && name !== "kontrol" && url.startsWith("https:")),
      mayCall: (caller, kite) =>
        Promise.resolve(caller.kite.name === "admin" || kite.name !== "vault"),
    },
  });
  const why = "the policy of this Kontrol refuses the registration";
  const alice = await lineTo(kontrol, "vault", { username: "alice" });
  const bob = await lineTo(kontrol, "vault", { username: "bob" });
  const right = "https://127.0.0.1:1/kite";
  await refused(() => alice.line.tell("register", URL), "notAllowed", why);
  await refused(() => bob.line.tell("register", right), "notAllowed", why);
  const body = await httpRegistration(kontrol);
  const http = await post(`${baseOf(kontrol)}/register`, body);
  assertEquals([http.status, JSON.parse(http.text)], [403, { err: why }]);
  await alice.line.tell("register", right);
  assertEquals(await find(bob.line, { name: "vault" }), []);
  const admin = await lineTo(kontrol, "admin", { username: "bob" });
  assertEquals((await find(admin.line, { name: "vault" })).length, 1);
});

Deno.test("what a Kontrol is made from is checked, each by its name", async () => {
  const keys = await createTestKeys({ algorithm: "EdDSA" });
  const kiteKey = await keys.kiteKey();
  const kite = { ip: "127.0.0.1", port: 0, logLevel: "FATAL" } as const;
  const make = (options: Record<string, unknown>) => () =>
    new Kontrol({ storage: new MemoryStorage(), kiteKey, kite, ...options });
  assertThrows(make({ kiteKey: "x" }), KiteError);
  assertThrows(make({ policy: "lax" }), KiteError, 'Cannot use "lax" as policy');
  assertThrows(
    make({ liveness: { heartbeatGrace: -1 } }),
    KiteError,
    "Cannot use -1 as liveness.heartbeatGrace",
  );
  assertThrows(make({ budgets: { calls: 0 } }), KiteError, "Cannot use 0 as budgets.calls");
  assertThrows(make({ budgets: { cals: 5 } }), KiteError, "Cannot use option budgets.cals");
  assertThrows(make({ tokens: { timeToLive: 1 } }), KiteError, "timeToLive");
  assertThrows(make({ tokens: { timeToLive: 25 * 86_400_000 } }), KiteError, "below 24 days");
  await using stray = make({})();
  await assertRejects(
    () => stray.listen(),
    KiteError,
    "no key pair verifies Kontrol's own kite.key",
  );
});

Deno.test("an authenticator for kiteKey is Kontrol's own: foreign keys that kites trust do not count", async () => {
  await using kontrol = await startKontrol();
  const foreign = await createTestKeys({ algorithm: "EdDSA", kontrolUrl: kontrol.url });
  const kite = new Kite("guest", "1.0.0", {
    kiteKey: await foreign.kiteKey(),
    kontrolUrl: kontrol.url,
    logLevel: "FATAL",
  });
  await assertRejects(() => kite.register(URL), KiteError, "no key pair found");
  await kite.close();
});

Deno.test("closing lets running calls finish and refuses new ones", async () => {
  await using kontrol = await startKontrol();
  const { kite } = kontrol.kontrol;
  const gate = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  kite.handle("slow", () => {
    started.resolve();
    return gate.promise;
  });
  const { line } = await lineTo(kontrol);
  await line.tell("register", URL);
  const slow = line.tell("slow");
  await started.promise;
  const closed = kontrol.kontrol.close({ deadline: 5_000 });
  await refused(() => line.tell("register", URL), "disconnect", "the kite is closing");
  gate.resolve("done");
  assertEquals(await slow, "done");
  await closed;
});

Deno.test("createKontrol makes a key pair and a kite.key, and finds them again in its storage", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  const kite = { ip: "127.0.0.1", port: 0, logLevel: "FATAL" } as const;
  let kiteKey = "";
  for (const start of ["first", "second"]) {
    await using kontrol = await createKontrol({ storage: new SqliteStorage({ path }), kite });
    const { url } = await kontrol.listen();
    assertEquals(kontrol.url, url);
    if (start === "first") kiteKey = await kontrol.keys.signKiteKey("alice");
    assertEquals((await kontrol.keys.valid()).length, 1);
    await using math = new Kite("math", "1.0.0", {
      kiteKey,
      kontrolUrl: url,
      logLevel: "FATAL",
    });
    const { kiteKey: renewed } = await math.registerOnce("http://127.0.0.1:1/kite");
    assertEquals([renewed, math.identity.username], [undefined, "alice"]);
  }
});

Deno.test("createKontrol keeps its keys in a directory, for a storage that keeps nothing", async () => {
  await using folder = new TemporaryFolder();
  const options = { home: `${folder.path}/kontrol`, kite: { ip: "127.0.0.1", port: 0 } };
  const keys: string[] = [];
  for (let start = 0; start < 2; start++) {
    const storage = new MemoryStorage();
    await using kontrol = await createKontrol({ ...options, storage, username: "root" });
    assertEquals(kontrol.kite.identity.username, "root");
    keys.push((await kontrol.keys.own()).public);
  }
  assertEquals(keys[0], keys[1]);
  const names = [...Deno.readDirSync(options.home)].map(({ name }) => name).sort();
  assertEquals(names, ["key.pem", "key_pub.pem", "kite.key"]);
  await Deno.writeTextFile(`${options.home}/key.pem`, "no key");
  await assertRejects(
    () => createKontrol({ ...options, storage: new MemoryStorage() }),
    KiteError,
    `Cannot use the keys ${options.home}/key.pem and `,
  );
});

Deno.test("Kontrol knows its key in every text: Windows line ends, other lines, PKCS#1", async () => {
  const pair = await generateKeyPair();
  const kiteKeyOf = async (publicKeyPem: string) =>
    await createKiteKey({
      username: "alice",
      kontrolUser: "kontrol",
      kontrolUrl: "http://127.0.0.1:0/kite",
      privateKey: await importPrivateKey(pair.privateKey),
      publicKeyPem,
    });
  const lines = pair.publicKey.split("\n");
  const texts = [
    pair.publicKey,
    pair.publicKey.replaceAll("\n", "\r\n"),
    [lines[0], lines.slice(1, -1).join(""), lines.at(-1)].join("\n"),
  ];
  for (const text of texts) {
    const storage = new MemoryStorage();
    await storage.keyPairs.add({
      id: crypto.randomUUID(),
      public: text,
      private: pair.privateKey,
    });
    await using kontrol = await createKontrol({
      storage,
      kite: { ip: "127.0.0.1", port: 0, logLevel: "FATAL" },
    });
    const { url } = await kontrol.listen();
    for (const known of texts) {
      await using kite = new Kite("math", "1.0.0", {
        kiteKey: await kiteKeyOf(known),
        kontrolUrl: url,
        logLevel: "FATAL",
      });
      const result = await kite.registerOnce("http://127.0.0.1:1/kite");
      assertEquals(result.kiteKey, undefined);
      await kite.getKey();
      await kontrol.keys.add(pair);
      assertEquals((await kontrol.keys.valid()).length, 1);
    }
  }
});
