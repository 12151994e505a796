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
  connectTo,
  find,
  httpRegistration,
  post,
  refused,
  startKontrol,
  TemporaryFolder,
} from "./support.ts";

const URL = "http://127.0.0.1:3636/kite";

Deno.test("Kontrol: its kite accepts methods, authenticators, hooks and HTTP handlers", async () => {
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
  const client = caller.newClient(kontrol.url, { authentication: { type: "badge", key: "gold" } });
  await client.dial();
  assertEquals(await client.tell("motd"), "hello alice");
  assertEquals((await find(client, { name: "kontrol" })).length, 1);
  client.authentication = { type: "badge", key: "tin" };
  await refused(() => client.tell("motd"), "authenticationError", "badge: no such badge");
  assertEquals(calls, ["motd", "getKites"]);
  assertEquals(await (await fetch(`${baseOf(kontrol)}/about`)).text(), "a Kontrol");
});

Deno.test("Kontrol: key pairs can be added and deleted while it runs", async () => {
  await using kontrol = await startKontrol();
  const { keys } = kontrol.kontrol;
  const outside = await createTestKeys({ algorithm: "EdDSA", kontrolUrl: kontrol.url });
  const kiteKey = await outside.kiteKey("alice");
  const options = { username: "alice", kiteKey };
  const { client } = await connectTo(kontrol, "guest", options);
  const unknown = "kiteKey: no key pair found";
  await refused(() => client.tell("register", URL), "authenticationError", unknown);
  const added = await keys.add(outside.pair);
  assertEquals(Object.keys(await client.tell<object>("register", URL)), [
    "url",
    "heartbeatInterval",
  ]);
  assertEquals((await find(client, { name: "guest" }))[0]?.keyId, added.id);
  await keys.keyPairs.softDelete(added.id);
  assert("kiteKey" in await client.tell<object>("register", URL), "it gets a new kite.key");

  const one = await generateKeyPair("EdDSA");
  const two = await generateKeyPair("EdDSA");
  await assertRejects(
    () => keys.add({ publicKey: one.publicKey, privateKey: two.privateKey }),
    KiteError,
    "the public key does not belong to the private key",
  );
});

Deno.test("policy compatible: every user finds and may call all kites", async () => {
  await using kontrol = await startKontrol();
  await post(`${baseOf(kontrol)}/register`, await httpRegistration(kontrol, { username: "bob" }));
  const alice = await connectTo(kontrol, "caller", { username: "alice" });
  assertEquals((await find(alice.client, { name: "math" })).length, 1);
  assertEquals(typeof await alice.client.tell("getToken", { name: "math" }), "string");
});

Deno.test("policy strict: queries, tokens and watches cover only the caller's own kites", async () => {
  await using kontrol = await startKontrol({ policy: "strict" });
  const events: string[] = [];
  const alice = await connectTo(kontrol, "caller", { username: "alice" });
  const watch = await alice.client.tell<{ kites: unknown[] }>("getKites", {
    query: { name: "math" },
    watchCallback: ({ result }: { result: { action: string; kite: { username: string } } }) =>
      events.push(`${result.action} ${result.kite.username}`),
  });
  assertEquals(watch.kites, []);
  const bobs = await httpRegistration(kontrol, { username: "bob" });
  const hers = await httpRegistration(kontrol, { username: "alice" });
  for (const body of [bobs, hers]) await post(`${baseOf(kontrol)}/register`, body);
  assertEquals((await find(alice.client, { name: "math" })).map(({ kite }) => kite), [hers.kite]);
  assertEquals(await find(alice.client, { username: "bob" }), []);
  await refused(
    () => alice.client.tell("getToken", { id: bobs.kite.id }),
    "genericError",
    "no kites found",
  );
  assertEquals(typeof await alice.client.tell("getToken", { name: "math" }), "string");
  await post(`${baseOf(kontrol)}/register`, { ...hers, url: "http://127.0.0.1:2/kite" });
  await alice.client.tell("kite.ping");
  assertEquals(events, ["REGISTER alice", "REGISTER alice"]);
});

Deno.test("policy: a custom policy decides who may register and who may call", async () => {
  await using kontrol = await startKontrol({
    policy: {
      mayRegister: ({ username }, { name }, url) =>
        Promise.resolve(username !== "bob" && name !== "kontrol" && url.startsWith("https:")),
      mayCall: (caller, kite) =>
        Promise.resolve(caller.kite.name === "admin" || kite.name !== "vault"),
    },
  });
  const why = "Cannot register this kite: the policy of this Kontrol does not allow it";
  const alice = await connectTo(kontrol, "vault", { username: "alice" });
  const bob = await connectTo(kontrol, "vault", { username: "bob" });
  const right = "https://127.0.0.1:1/kite";
  await refused(() => alice.client.tell("register", URL), "notAllowed", why);
  await refused(() => bob.client.tell("register", right), "notAllowed", why);
  const body = await httpRegistration(kontrol);
  const http = await post(`${baseOf(kontrol)}/register`, body);
  assertEquals([http.status, JSON.parse(http.text)], [403, { err: why }]);
  await alice.client.tell("register", right);
  assertEquals(await find(bob.client, { name: "vault" }), []);
  const admin = await connectTo(kontrol, "admin", { username: "bob" });
  assertEquals((await find(admin.client, { name: "vault" })).length, 1);
});

Deno.test("Kontrol: invalid options are refused by name", async () => {
  const keys = await createTestKeys({ algorithm: "EdDSA" });
  const kiteKey = await keys.kiteKey();
  const kite = { ip: "127.0.0.1", port: 0, logLevel: "FATAL" } as const;
  const make = (options: Record<string, unknown>) => () =>
    new Kontrol({ storage: new MemoryStorage(), kiteKey, kite, ...options });
  assertThrows(make({ kiteKey: "x" }), KiteError);
  assertThrows(make({ policy: "lax" }), KiteError, 'Cannot use policy "lax": must be');
  assertThrows(
    make({ liveness: { heartbeatGrace: -1 } }),
    KiteError,
    "Cannot use liveness.heartbeatGrace -1: must be milliseconds, at least 0",
  );
  assertThrows(
    make({ liveness: { heartbeatIntervals: 1 } }),
    KiteError,
    'Cannot use liveness option "heartbeatIntervals": did you mean heartbeatInterval?',
  );
  assertThrows(make({ budgets: { calls: 0 } }), KiteError, "Cannot use budgets.calls 0");
  assertThrows(make({ budgets: { cals: 5 } }), KiteError, 'Cannot use budgets option "cals"');
  assertThrows(make({ tokens: { timeToLive: 1 } }), KiteError, "timeToLive");
  assertThrows(make({ tokens: { timeToLive: 25 * 86_400_000 } }), KiteError, "(24 days)");
  await using stray = make({})();
  await assertRejects(
    () => stray.listen(),
    KiteError,
    "Cannot use Kontrol's kite.key: no key pair verifies it",
  );
});

Deno.test("Kontrol: refuses kite.keys of other Kontrols, even if the kite trusts them", async () => {
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

Deno.test("Kontrol.close: waits for running calls and refuses new ones", async () => {
  await using kontrol = await startKontrol();
  const { kite } = kontrol.kontrol;
  const gate = Promise.withResolvers<string>();
  const started = Promise.withResolvers<void>();
  kite.handle("slow", () => {
    started.resolve();
    return gate.promise;
  });
  const { client } = await connectTo(kontrol);
  await client.tell("register", URL);
  const slow = client.tell("slow");
  await started.promise;
  const closed = kontrol.kontrol.close({ deadline: 5_000 });
  await refused(() => client.tell("register", URL), "disconnect", "the kite is closing");
  gate.resolve("done");
  assertEquals(await slow, "done");
  await closed;
});

Deno.test("createKontrol: creates a key pair and a kite.key, and finds them again in its storage", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kontrol.db`;
  const kite = { ip: "127.0.0.1", port: 0, logLevel: "FATAL" } as const;
  let kiteKey = "";
  for (const start of ["first", "second"]) {
    await using kontrol = await createKontrol({ storage: new SqliteStorage({ path }), kite });
    const { url } = await kontrol.listen();
    assertEquals(kontrol.url, url.replace("127.0.0.1", "localhost"));
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

Deno.test("createKontrol: keeps its keys in `home`, for use with a memory storage", async () => {
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

Deno.test("Kontrol: recognizes its public key with other line ends and line lengths", async () => {
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
