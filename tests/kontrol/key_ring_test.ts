import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { CachedKeyPairs } from "../../kontrol/cached_key_pairs.ts";
import { createJwks } from "../../kontrol/jwks.ts";
import { KeyRing, type NewKeyPair } from "../../kontrol/key_ring.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import type { KeyPairs, StoredKeyPair } from "../../kontrol/storage/storage.ts";
import { generateKeyPair } from "../../src/auth/keys.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { verifyKeyHandover } from "../../src/auth/handover.ts";
import { KiteKeyVerifier } from "../../src/auth/kite_key_verifier.ts";
import { KiteError } from "../../src/protocol/errors.ts";

const rsa = await generateKeyPair("RS256");
const rsa2 = await generateKeyPair("RS256");
const edwards = await generateKeyPair("EdDSA");
const curve = await generateKeyPair("ES256");

/** A key ring whose own kite.key is signed with the first of `pairs`. */
async function ringOf(...pairs: NewKeyPair[]): Promise<{ ring: KeyRing; stored: StoredKeyPair[] }> {
  let kiteKey = "";
  const ring = new KeyRing({
    keyPairs: new MemoryStorage().keyPairs,
    kiteKey: () => kiteKey,
    kontrolUser: () => "kontrol",
    kontrolUrl: () => "http://127.0.0.1:4000/kite",
  });
  const stored: StoredKeyPair[] = [];
  for (const pair of pairs) stored.push(await ring.add(pair));
  kiteKey = await ring.signKiteKey("kontrol", stored[0]);
  return { ring, stored };
}

async function refusal(work: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(work);
  assertInstanceOf(error, KiteError);
  return error.toString();
}

function at(stored: readonly StoredKeyPair[], index: number): StoredKeyPair {
  const pair = stored[index];
  if (pair === undefined) throw new Error(`no pair ${index}`);
  return pair;
}

Deno.test("KeyRing.own: returns the pair that verifies Kontrol's kite.key, not the newest", async () => {
  const { ring, stored } = await ringOf(rsa, rsa2, edwards);
  assertEquals((await ring.valid()).map(({ id }) => id), stored.map(({ id }) => id).reverse());
  assertEquals((await ring.own()).id, at(stored, 0).id);
  assertEquals((await ring.own()).id, at(stored, 0).id);
  const claims = readKiteKeyClaims(await ring.signKiteKey("alice"));
  assertEquals([claims.iss, claims.sub, claims.kontrolURL, claims.kontrolKey], [
    "kontrol",
    "alice",
    "http://127.0.0.1:4000/kite",
    rsa.publicKey,
  ]);
});

Deno.test("KeyRing.own: if its pair is deleted, returns the newest other; fails if all are deleted", async () => {
  const { ring, stored } = await ringOf(edwards, curve);
  await ring.own();
  await ring.keyPairs.softDelete(at(stored, 0).id);
  assertEquals((await ring.own()).id, at(stored, 1).id);
  const claims = readKiteKeyClaims(await ring.signKiteKey("alice"));
  assertEquals(claims.kontrolKey, curve.publicKey);
  await ring.keyPairs.softDelete(at(stored, 1).id);
  assertEquals(
    await refusal(() => ring.own()),
    "configError: Cannot find Kontrol's key pair: all are deleted; " +
      "add a new one before you delete the last one",
  );
});

Deno.test("KeyRing.signKiteKey: fails without a kite.key, and with a deleted pair", async () => {
  const { ring, stored } = await ringOf(edwards, curve);
  assert((await refusal(() => ring.signKiteKey("alice", { ...at(stored, 0), deletedAt: 1 })))
    .endsWith("it is deleted"));
  const empty = new KeyRing({
    keyPairs: ring.keyPairs,
    kiteKey: () => "",
    kontrolUser: () => "kontrol",
    kontrolUrl: () => "http://127.0.0.1:4000/kite",
  });
  assert(
    (await refusal(() => empty.own())).endsWith(
      "Kontrol has no kite.key; create one with -initial",
    ),
  );
});

Deno.test("KeyRing.own: skips stored rows that are not keys", async () => {
  const { ring, stored } = await ringOf(edwards);
  const row = { id: crypto.randomUUID(), public: "kontrol-self", private: "kontrol-self" };
  await ring.keyPairs.add(row);
  assertEquals((await ring.own()).id, at(stored, 0).id);
});

Deno.test("KeyRing.signerFor: returns the kite's pair or, if deleted or unknown, Kontrol's own", async () => {
  const { ring, stored } = await ringOf(edwards, curve);
  const [own, other] = [at(stored, 0), at(stored, 1)];
  assertEquals((await ring.signerFor(other.id)).id, other.id);
  await ring.keyPairs.softDelete(other.id);
  for (const id of [other.id, crypto.randomUUID(), "", "no uuid"]) {
    assertEquals((await ring.signerFor(id)).id, own.id);
  }
});

Deno.test("KeyRing.renew: a deleted pair still authenticates, and its kites get a new kite.key", async () => {
  const { ring, stored } = await ringOf(edwards, curve);
  const verifier = new KiteKeyVerifier({
    trustedKeys: () => [],
    verify: (key) => ring.trusts(key),
  });
  const old = await ring.signKiteKey("alice", at(stored, 1));
  assertEquals((await verifier.verify(old)).username, "alice");
  assertEquals(await ring.renew(curve.publicKey, "alice"), undefined);
  assertEquals(await ring.currentKey(curve.publicKey), { publicKey: curve.publicKey });

  await ring.keyPairs.softDelete(at(stored, 1).id);
  const fresh = new KiteKeyVerifier({ trustedKeys: () => [], verify: (key) => ring.trusts(key) });
  assertEquals((await fresh.verify(old)).username, "alice");
  const { publicKey, keyHandover = "" } = await ring.currentKey(curve.publicKey);
  assertEquals(publicKey, edwards.publicKey);
  const handedOver = { kontrolUser: "kontrol", nextKey: edwards.publicKey };
  await verifyKeyHandover(keyHandover, { ...handedOver, currentKey: curve.publicKey });
  const renewed = await ring.renew(curve.publicKey, "alice");
  if (renewed === undefined) throw new Error("no new kite.key");
  assertEquals(renewed.publicKey, edwards.publicKey);
  const claims = readKiteKeyClaims(renewed.kiteKey);
  assertEquals([claims.sub, claims.kontrolKey], ["alice", edwards.publicKey]);
  assertEquals((await fresh.verify(renewed.kiteKey)).username, "alice");
});

Deno.test("KeyRing: all lookups of an unknown key fail with `no key pair found`", async () => {
  const { ring } = await ringOf(edwards);
  const expected = "authenticationError: no key pair found";
  for (const ask of ["pairOf", "trusts", "currentKey"] as const) {
    assertEquals(await refusal(async () => await ring[ask](curve.publicKey)), expected);
  }
  assertEquals(await refusal(() => ring.renew(curve.publicKey, "alice")), expected);
});

Deno.test("KeyRing.add: refuses keys of different pairs, and derives a missing public key", async () => {
  const { ring } = await ringOf(edwards);
  const mixed = { publicKey: rsa.publicKey, privateKey: rsa2.privateKey };
  const message =
    "configError: Cannot use this key pair: the public key does not belong to the private key";
  assertEquals(await refusal(() => ring.add(mixed)), message);
  const other = { publicKey: edwards.publicKey, privateKey: rsa.privateKey };
  assertEquals(await refusal(() => ring.add(other)), message);
  const derived = await ring.add({ privateKey: `${rsa.privateKey}\n` });
  assertEquals([derived.public, derived.private], [rsa.publicKey, rsa.privateKey]);
  const again = await ring.add({ ...rsa, publicKey: `\n${rsa.publicKey}\n` });
  assertEquals(again.id, derived.id);
  assert(
    (await refusal(() => ring.add({ privateKey: "x" }))).startsWith("configError: Cannot read PEM"),
  );
});

Deno.test("createJwks: contains no private keys, deleted pairs or invalid rows", async () => {
  const { ring, stored } = await ringOf(rsa, edwards, curve, rsa2);
  await ring.keyPairs.softDelete(at(stored, 3).id);
  await ring.keyPairs.add({ id: crypto.randomUUID(), public: "odd", private: "odd" });
  const { keys } = await createJwks(await ring.keyPairs.list());
  assertEquals(keys.map(({ kid, alg, kty, use }) => [kid, alg, kty, use]), [
    [at(stored, 2).id, "ES256", "EC", "sig"],
    [at(stored, 1).id, "EdDSA", "OKP", "sig"],
    [at(stored, 0).id, "RS256", "RSA", "sig"],
  ]);
  for (const key of keys) {
    assert(!["d", "p", "q", "dp", "dq", "qi", "k"].some((name) => name in key));
  }
});

/** Key pairs that count reads, and fail while `isUnavailable`. */
class CountingKeyPairs implements KeyPairs {
  readonly inner = new MemoryStorage().keyPairs;
  lists = 0;
  isUnavailable = false;
  add = (...args: Parameters<KeyPairs["add"]>) => this.inner.add(...args);
  softDelete = (id: string) => this.inner.softDelete(id);
  byId = (id: string) => this.inner.byId(id);
  byPublic = (key: string) => this.inner.byPublic(key);
  list(): Promise<StoredKeyPair[]> {
    this.lists++;
    if (this.isUnavailable) throw new KiteError("storageError", "unavailable");
    return this.inner.list();
  }
}

function pairText(name: string): { id: string; public: string; private: string } {
  return { id: crypto.randomUUID(), public: `public ${name}`, private: `private ${name}` };
}

Deno.test("CachedKeyPairs: reads the list once, and again after its time to live or a change", async () => {
  const store = new CountingKeyPairs();
  let now = 0;
  const cached = new CachedKeyPairs(store, {
    timeToLive: 1_000,
    missInterval: 100,
    now: () => now,
  });
  const first = await cached.add(pairText("a"));
  const found = await Promise.all([cached.byId(first.id), cached.byPublic(" public a\n")]);
  assertEquals(found.map((pair) => pair?.id), [first.id, first.id]);
  assertEquals((await cached.byId(first.id.toUpperCase()))?.id, first.id);
  assertEquals([(await cached.list()).length, store.lists], [1, 1]);

  await store.inner.softDelete(first.id);
  assertEquals((await cached.byId(first.id))?.deletedAt, undefined);
  now = 1_000;
  assert((await cached.byId(first.id))?.deletedAt !== undefined);
  assertEquals(store.lists, 2);

  const second = await cached.add(pairText("b"));
  assertEquals((await cached.list()).map(({ id }) => id), [second.id, first.id]);
  await cached.softDelete(second.id);
  assert((await cached.byId(second.id))?.deletedAt !== undefined);
});

Deno.test("CachedKeyPairs: unknown keys cause one read per interval, which finds pairs of other Kontrols", async () => {
  const store = new CountingKeyPairs();
  let now = 0;
  const cached = new CachedKeyPairs(store, { missInterval: 100, now: () => now });
  for (let index = 0; index < 50; index++) {
    assertEquals(await cached.byPublic(`public ${index}`), undefined);
  }
  assertEquals(store.lists, 1);
  const theirs = await store.add(pairText("theirs"));
  assertEquals(await cached.byId(theirs.id), undefined);
  now = 100;
  assertEquals((await cached.byId(theirs.id))?.public, "public theirs");
  assertEquals(store.lists, 2);
});

Deno.test("CachedKeyPairs: keeps the last list while the storage is unavailable; unknown keys fail", async () => {
  const store = new CountingKeyPairs();
  let now = 0;
  const cached = new CachedKeyPairs(store, {
    timeToLive: 1_000,
    missInterval: 100,
    now: () => now,
  });
  store.isUnavailable = true;
  await assertRejects(() => cached.list(), KiteError, "unavailable");
  store.isUnavailable = false;
  const pair = await cached.add(pairText("a"));
  assertEquals((await cached.list()).length, 1);

  store.isUnavailable = true;
  now = 5_000;
  assertEquals((await cached.byId(pair.id))?.id, pair.id);
  const looks = store.lists;
  for (let index = 0; index < 20; index++) await cached.byId(pair.id);
  assertEquals(store.lists, looks);
  await assertRejects(() => cached.byPublic("public b"), KiteError, "unavailable");

  store.isUnavailable = false;
  now = 6_000;
  await store.inner.softDelete(pair.id);
  await cached.byId(pair.id);
  assert((await cached.byId(pair.id))?.deletedAt !== undefined);
});

Deno.test("CachedKeyPairs: a read that started before a change does not hide it", async () => {
  const store = new CountingKeyPairs();
  const cached = new CachedKeyPairs(store);
  const early = cached.list();
  const pair = await cached.add(pairText("a"));
  await early;
  assertEquals((await cached.byId(pair.id))?.id, pair.id);
});
