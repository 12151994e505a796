/** Which Kontrol a kite trusts, and when a change of that applies to open connections. */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { signKeyHandover } from "../../src/auth/handover.ts";
import type { Client } from "../../src/client.ts";
import { Kite } from "../../src/kite.ts";
import type { KiteOptions } from "../../src/kite_options.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys, startTestKontrol, type TestKeys } from "../../src/testing/mod.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import { generateKeyPair } from "../../src/auth/keys.ts";
import { eventually } from "../support/eventually.ts";
import { callingKite, keepingLogger } from "./kites.ts";

const [real, evil] = await Promise.all([
  createTestKeys({ kontrolUser: "kontrol" }),
  createTestKeys({ kontrolUser: "kontrol" }),
]);

/** A kite with a method that needs a token of its Kontrol. */
function vaultKite(options: KiteOptions): Kite {
  const vault = new Kite("vault", "1.0.0", {
    ip: "127.0.0.1",
    port: 0,
    username: "bob",
    environment: "prod",
    logger: keepingLogger(),
    ...options,
  });
  vault.handle("secret", ({ username }) => `secret for ${username}`);
  return vault;
}

async function callerWith(url: string, keys: TestKeys, username: string): Promise<Client> {
  const key = await keys.token({ username, audience: "/bob/prod/vault" });
  const client = callingKite().newClient(url, { authentication: { type: "token", key } });
  await client.dial();
  return client;
}

/** A server that pretends to be Kontrol, without its keys. */
function falseKontrol(register: object, key: () => unknown): Kite {
  const kontrol = new Kite("kontrol", "1.0.0", {
    ip: "127.0.0.1",
    port: 0,
    kiteKey: "",
    logger: keepingLogger(),
  });
  kontrol.disableAuthentication();
  kontrol.handle("register", () => ({ url: "http://x/kite", heartbeatInterval: 10, ...register }));
  kontrol.handle("getKey", key);
  kontrol.handleHttp(
    "/register",
    () => Response.json({ url: "http://x/kite", heartbeatInterval: 10, ...register }),
  );
  kontrol.handleHttp("/heartbeat", () => new Response("pong"));
  return kontrol;
}

const publicKey = evil.pair.publicKey;
const kiteKey = await evil.kiteKey("bob");
const selfSigned = await signKeyHandover({
  kontrolUser: "kontrol",
  formerKey: evil.privateKey,
  nextKey: publicKey,
});

const IMPOSTORS: readonly (readonly [what: string, register: object, key: () => unknown])[] = [
  ["getKey names its own key", {}, () => publicKey],
  ["getKey signs its own handover", {}, () => ({ publicKey, keyHandover: selfSigned })],
  ["getKey hands over what is no text", {}, () => ({ publicKey, keyHandover: { toString: 1 } })],
  ["register names its own key", { publicKey }, () => real.pair.publicKey],
  ["register names its own key and kite.key", { publicKey, kiteKey }, () => real.pair.publicKey],
  ["register gives a kite.key alone", { kiteKey }, () => real.pair.publicKey],
  [
    "register signs its own handover",
    { publicKey, kiteKey, keyHandover: selfSigned },
    () => real.pair.publicKey,
  ],
];

for (const [what, register, key] of IMPOSTORS) {
  for (const way of ["register", "registerHttp"] as const) {
    Deno.test(`a false Kontrol does not become the authority: ${what} (${way})`, async () => {
      await using kontrol = falseKontrol(register, key);
      const { url: kontrolUrl } = await kontrol.listen();
      await using vault = vaultKite({ kiteKey: await real.kiteKey("bob"), kontrolUrl });
      const { url } = await vault.listen();
      await vault[way](url);
      await vault.getKey().catch(() => {});
      await using thief = await callerWith(url, evil, "root");
      await assertRejects(() => thief.tell("secret"), KiteError, "token: token is expired");
      await using owner = await callerWith(url, real, "alice");
      assertEquals(await owner.tell("secret"), "secret for alice");
      const { lines } = vault.log as ReturnType<typeof keepingLogger>;
      assert(lines.length <= 3, "one line for each refused key, not for each call");
    });
  }
}

Deno.test("getKey: refuses a key without a valid handover, and says what to do", async () => {
  await using kontrol = falseKontrol({}, () => publicKey);
  const { url: kontrolUrl } = await kontrol.listen();
  await using vault = vaultKite({ kiteKey: await real.kiteKey("bob"), kontrolUrl });
  const error = await assertRejects(() => vault.getKey(), KiteError);
  assertEquals(error.type, "authenticationError");
  assertMatch(error.message, /^Cannot trust the new key from Kontrol: .* requireKeyHandover/);
});

Deno.test("a kite trusts the new keys of a Kontrol that hands them over, several times in a row", async () => {
  const storage = new MemoryStorage();
  await using kontrol = await startTestKontrol({ storage, keyPairsTimeToLive: 0 });
  const { keys } = kontrol.kontrol;
  // One registers, and gets a new kite.key each time; the other only asks for the key.
  const vault = await kontrol.newKite("vault", "1.0.0", { username: "bob" });
  const asking = await kontrol.newKite("asking", "1.0.0", { username: "bob" });
  await vault.register((await vault.listen()).url);
  for (let turn = 0; turn < 3; turn++) {
    const [former] = await storage.keyPairs.list();
    const fresh = await keys.add(await generateKeyPair("EdDSA"));
    await keys.keyPairs.softDelete(former!.id);
    assertEquals(await vault.getKey(), fresh.public);
    assertEquals(await asking.getKey(), fresh.public);
    await vault.registerOnce("http://127.0.0.1:1/kite");
  }
});

Deno.test("removeAuthenticator and addAuthenticator apply to open connections", async () => {
  const changes: readonly (readonly [string, (kite: Kite) => unknown, string])[] = [
    ["removed", (kite) => kite.removeAuthenticator("token"), "Unknown authentication type: token"],
    ["replaced", (kite) =>
      kite.addAuthenticator("token", () => {
        throw new Error("nobody");
      }), "token: nobody"],
    [
      "replaced by a slow one",
      (kite) => kite.addAuthenticator("token", () => Promise.reject(new Error("nobody"))),
      "token: nobody",
    ],
  ];
  for (const [what, change, refusal] of changes) {
    await using vault = vaultKite({
      kiteKey: "",
      kontrolKey: real.pair.publicKey,
      kontrolUser: "kontrol",
    });
    const { url } = await vault.listen();
    await using open = await callerWith(url, real, "eve");
    for (let call = 0; call < 3; call++) await open.tell("secret");
    change(vault);
    await assertRejects(() => open.tell("secret"), KiteError, refusal, what);
    await using fresh = await callerWith(url, real, "eve");
    await assertRejects(() => fresh.tell("secret"), KiteError, refusal, what);
  }
});

Deno.test("an authenticator that is removed during its own check authenticates nobody", async () => {
  await using vault = vaultKite({ kiteKey: "" });
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<string>();
  vault.addAuthenticator("badge", () => {
    asked.resolve();
    return answer.promise;
  });
  const { url } = await vault.listen();
  const authentication = { type: "badge", key: "x" };
  await using client = callingKite().newClient(url, { authentication });
  await client.dial();
  const call = client.tell("secret");
  await asked.promise;
  vault.removeAuthenticator("badge");
  answer.resolve("eve");
  await assertRejects(() => call, KiteError, "Unknown authentication type: badge");
});

Deno.test("keyOverlap: then a token signed with the former key no longer authenticates, on open connections either", async () => {
  const keyOverlap = 500;
  const storage = new MemoryStorage();
  await using kontrol = await startTestKontrol({ storage, keyPairsTimeToLive: 0 });
  const vault = await kontrol.newKite("vault", "1.0.0", { username: "bob", keyOverlap });
  vault.handle("secret", ({ username }) => `secret for ${username}`);
  const { url } = await vault.listen();
  await vault.register(url);
  const eve = await kontrol.newKite("eve", "1.0.0", { username: "eve" });
  const key = await eve.getToken({ name: "vault" });
  await using open = eve.newClient(url, { authentication: { type: "token", key } });
  await open.dial();
  assertEquals(await open.tell("secret"), "secret for eve");

  const [former] = await storage.keyPairs.list();
  await kontrol.kontrol.keys.add(await generateKeyPair("EdDSA"));
  await kontrol.kontrol.keys.keyPairs.softDelete(former!.id);
  await vault.getKey();
  const refusal = await eventually(
    () => open.tell("secret").then(() => undefined, (error: KiteError) => error),
    { what: "the end of the former key" },
  );
  assertMatch(refusal.message, /token is expired/);
});
