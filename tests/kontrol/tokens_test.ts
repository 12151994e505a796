import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { KeyRing } from "../../kontrol/key_ring.ts";
import { MemoryStorage } from "../../kontrol/storage/memory.ts";
import type { StoredKeyPair } from "../../kontrol/storage/storage.ts";
import { TokenIssuer, type TokenIssuerOptions } from "../../kontrol/tokens.ts";
import { generateKeyPair, type KeyAlgorithm } from "../../src/auth/keys.ts";
import { readTokenClaims } from "../../src/auth/jwt.ts";
import { TokenVerifier } from "../../src/auth/token.ts";
import { KiteError } from "../../src/protocol/errors.ts";

const HOUR = 3_600_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const OWN = { username: "bob", environment: "prod", name: "math" };

interface Setup {
  readonly ring: KeyRing;
  readonly own: StoredKeyPair;
  readonly other: StoredKeyPair;
  issuer(options?: Partial<TokenIssuerOptions>): TokenIssuer;
}

async function setup(algorithm: KeyAlgorithm = "EdDSA"): Promise<Setup> {
  let kiteKey = "";
  const ring = new KeyRing({
    keyPairs: new MemoryStorage().keyPairs,
    kiteKey: () => kiteKey,
    kontrolUser: () => "kontrol",
    kontrolUrl: () => "http://127.0.0.1:4000/kite",
  });
  const own = await ring.add(await generateKeyPair(algorithm));
  const other = await ring.add(await generateKeyPair(algorithm));
  kiteKey = await ring.signKiteKey("kontrol", own);
  const issuer = (options: Partial<TokenIssuerOptions> = {}) =>
    new TokenIssuer({ keys: ring, issuer: () => "kontrol", ...options });
  return { ring, own, other, issuer };
}

function verifierOf(pair: StoredKeyPair, now?: () => number): TokenVerifier {
  return new TokenVerifier({
    trustedKeys: () => [pair.public],
    kontrolUser: () => "kontrol",
    identity: () => OWN,
    ...(now === undefined ? {} : { now }),
  });
}

function headerOf(token: string): unknown {
  return JSON.parse(atob(token.split(".")[0] ?? ""));
}

Deno.test("TokenIssuer: an RS256 token has the claims of the Go Kontrol, with integer times", async () => {
  const { own, issuer } = await setup("RS256");
  const now = 1_700_000_000_900;
  const request = { audience: "/bob/prod/math", username: "alice", keyId: own.id };
  const token = await issuer({ now: () => now }).issue(request);
  const { jti, ...claims } = readTokenClaims(token);
  assertEquals(claims, {
    iss: "kontrol",
    sub: "alice",
    aud: "/bob/prod/math",
    exp: 1_700_000_000 + 48 * 3600 + 300,
    iat: 1_700_000_000 - 300,
    nbf: 1_700_000_000 - 300,
  });
  assertMatch(jti ?? "", UUID);
  assertEquals(headerOf(token), { alg: "RS256", typ: "JWT", kid: own.id });
  assertEquals((await verifierOf(own, () => now).verify(token)).username, "alice");
});

Deno.test("TokenIssuer: notBefore: false leaves nbf out", async () => {
  const { own, issuer } = await setup();
  const request = { audience: "/", username: "alice", keyId: own.id };
  const claims = readTokenClaims(await issuer({ notBefore: false }).issue(request));
  assert(!("nbf" in claims) && "iat" in claims);
});

Deno.test("TokenIssuer: signs with the pair of the kite and, once deleted, with Kontrol's own", async () => {
  const { ring, own, other, issuer } = await setup();
  const tokens = issuer();
  const request = { audience: "/bob/prod/math", username: "alice", keyId: other.id };
  const before = await tokens.issue(request);
  await verifierOf(other).verify(before);
  await assertRejects(() => verifierOf(own).verify(before), KiteError, "token is expired");
  await ring.keyPairs.softDelete(other.id);
  const after = await tokens.issue(request);
  assert(after !== before);
  await verifierOf(own).verify(after);
});

Deno.test("TokenIssuer: equal requests share a token until TTL - leeway; others get their own", async () => {
  const { own, other, issuer } = await setup();
  let now = 1_700_000_000_000;
  let user = "kontrol";
  const tokens = issuer({ now: () => now, issuer: () => user });
  const request = { audience: "/bob/prod/math", username: "alice", keyId: own.id };
  const first = await tokens.issue(request);
  assertEquals(await tokens.issue({ ...request }), first);
  const different = [
    { ...request, audience: "/bob/prod" },
    { ...request, username: "eve" },
    { ...request, keyId: other.id },
    { ...request, audience: '/bob/prod/math","alice' },
  ];
  for (const each of different) assert(await tokens.issue(each) !== first);
  user = "kontrol2";
  assert(await tokens.issue(request) !== first);
  user = "kontrol";
  now += 48 * HOUR - 300_000 - 1;
  assertEquals(await tokens.issue(request), first);
  now += 1;
  assert(await tokens.issue(request) !== first);
});

Deno.test("TokenIssuer: a cached token is valid for at least 6 more minutes", async () => {
  const { own, issuer } = await setup();
  const request = { audience: "/", username: "alice", keyId: own.id };
  for (
    const [timeToLive, leeway] of [[HOUR, 0], [HOUR, 300_000], [420_000, 0], [60_000, 300_000]]
  ) {
    let now = 1_700_000_000_000;
    const tokens = issuer({ timeToLive: timeToLive!, leeway: leeway!, now: () => now });
    const signedAt = new Map<string, number>();
    for (; now < 1_700_000_000_000 + 2 * HOUR; now += 7_919) {
      const token = await tokens.issue(request);
      const left = (readTokenClaims(token).exp ?? 0) * 1000 - now;
      const isNew = !signedAt.has(token);
      if (isNew) signedAt.set(token, now);
      assert(isNew || left > 359_000, `${left} ms left`);
    }
    assert(signedAt.size > 1);
  }
});

Deno.test("TokenIssuer: force signs a new token, which replaces the cached one", async () => {
  const { own, issuer } = await setup();
  const tokens = issuer();
  const request = { audience: "/", username: "alice", keyId: own.id };
  const first = await tokens.issue(request);
  const forced = await tokens.issue({ ...request, force: true });
  assert(forced !== first);
  assertEquals(await tokens.issue(request), forced);
});

Deno.test("TokenIssuer: concurrent equal requests share one signature", async () => {
  const { own, issuer } = await setup();
  const tokens = issuer();
  const request = { audience: "/", username: "alice", keyId: own.id };
  const all = await Promise.all(Array.from({ length: 50 }, () => tokens.issue(request)));
  assertEquals(new Set(all).size, 1);
  const forced = await Promise.all(
    Array.from({ length: 50 }, () => tokens.issue({ ...request, force: true })),
  );
  assertEquals(new Set(forced).size, 1);
});

Deno.test("TokenIssuer: the cache is bounded and drops the oldest token", async () => {
  const { own, issuer } = await setup();
  const tokens = issuer({ cacheSize: 3 });
  const ask = (username: string) => tokens.issue({ audience: "/", username, keyId: own.id });
  const first = await ask("user0");
  for (const name of ["user1", "user2"]) await ask(name);
  assertEquals(await ask("user0"), first);
  const third = await ask("user3");
  assert(await ask("user0") !== first);
  assertEquals(await ask("user3"), third);
});

Deno.test("TokenIssuer: invalid options are refused by name", async () => {
  const { issuer } = await setup();
  const bad: readonly (readonly [Partial<TokenIssuerOptions>, string])[] = [
    [{ timeToLive: 24 * 24 * HOUR }, "less than 2073600000 milliseconds (24 days)"],
    [{ timeToLive: 24 * 24 * HOUR - 300_000 }, "(24 days)"],
    [{ timeToLive: Infinity }, "(24 days)"],
    [{ timeToLive: 999 }, "Cannot use tokens.timeToLive 999: must be milliseconds, at least 1000"],
    [{ timeToLive: NaN }, "Cannot use tokens.timeToLive NaN: must be"],
    [{ leeway: -1 }, "Cannot use tokens.leeway -1: must be milliseconds, at least 0"],
    [{ leeway: NaN }, "Cannot use tokens.leeway NaN: must be"],
    [{ cacheSize: -1 }, "Cannot use tokens.cacheSize -1: must be an integer of at least 0"],
  ];
  for (const [options, message] of bad) assertThrows(() => issuer(options), KiteError, message);
  issuer({ timeToLive: 24 * 24 * HOUR - 300_001 });
});

Deno.test("TokenIssuer: a token must have an audience, a username and an issuer", async () => {
  const { own, issuer } = await setup();
  const request = { audience: "/", username: "alice", keyId: own.id };
  const message = "Cannot sign a token: it must have an audience, a username and an issuer";
  await assertRejects(() => issuer().issue({ ...request, audience: "" }), KiteError, message);
  await assertRejects(() => issuer().issue({ ...request, username: "" }), KiteError, message);
  await assertRejects(() => issuer({ issuer: () => "" }).issue(request), KiteError, message);
});
