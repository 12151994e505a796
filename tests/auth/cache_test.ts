import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import { SharedCache } from "../../src/auth/cache.ts";
import type { TokenVerifierOptions } from "../../src/auth/token.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys } from "../../src/testing/keys.ts";
import { OWN, refusalOf, seconds, signRaw, tokenVerifier } from "./support.ts";

const kontrol = await createTestKeys({ algorithm: "EdDSA" });
const other = await createTestKeys({ algorithm: "EdDSA" });

Deno.test("SharedCache: keeps at most its size, evicts the oldest entry, and expires entries", async () => {
  let now = 1_000;
  const cache = new SharedCache<string>(3, () => now);
  const put = (text: string, until = Infinity) =>
    cache.obtain(text, () => Promise.resolve({ value: text.toUpperCase(), until }));
  for (const text of ["a", "b", "c", "d"]) assertEquals(await put(text), text.toUpperCase());
  assertEquals([cache.size, cache.get("a"), cache.get("b"), cache.get("d")], [
    3,
    undefined,
    "B",
    "D",
  ]);
  await put("e", 2_000);
  now = 1_999;
  assertEquals(cache.get("e"), "E");
  now = 2_000;
  assertEquals([cache.get("e"), cache.size], [undefined, 2]);
  assertEquals([await put("late", 1_999), cache.get("late")], ["LATE", undefined]);
  const none = new SharedCache<string>(0, () => now);
  await none.obtain("a", () => Promise.resolve({ value: "A", until: Infinity }));
  assertEquals([none.get("a"), none.size], [undefined, 0]);
});

Deno.test("SharedCache: concurrent requests share one computation, and failures are not cached", async () => {
  const cache = new SharedCache<number>(10, Date.now);
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const work = async () => {
    runs++;
    await gate.promise;
    if (runs === 1) throw new Error("first");
    return { value: runs, until: Infinity };
  };
  const waiting = [cache.obtain("x", work), cache.obtain("x", work), cache.renew("x", work)];
  gate.resolve();
  for (const each of waiting) await assertRejects(() => each, Error, "first");
  assertEquals([runs, cache.size], [1, 0]);
  assertEquals([await cache.obtain("x", work), await cache.obtain("x", work), runs], [2, 2, 2]);
  assertEquals([await cache.renew("x", work), cache.get("x")], [3, 3]);
});

Deno.test("SharedCache.clear: running computations are neither shared nor cached afterwards", async () => {
  const cache = new SharedCache<string>(10, Date.now);
  const gate = Promise.withResolvers<void>();
  const slow = cache.obtain("x", async () => {
    await gate.promise;
    return { value: "old", until: Infinity };
  });
  cache.clear();
  const fresh = cache.obtain("x", () => Promise.resolve({ value: "new", until: Infinity }));
  gate.resolve();
  assertEquals([await slow, await fresh, cache.get("x")], ["old", "new", "new"]);
});

Deno.test("TokenVerifier: concurrent callers share one verification", async () => {
  const verifier = tokenVerifier(kontrol);
  const token = await kontrol.token();
  assertEquals(verifier.cached(token), undefined);
  const [first, second] = await Promise.all([verifier.verify(token), verifier.verify(token)]);
  assertStrictEquals(second, first);
  assertStrictEquals(verifier.cached(token), first);
  assertStrictEquals(await verifier.verify(token), first);
  assert(Object.isFrozen(first) && Object.isFrozen(first.claims));
});

Deno.test("TokenVerifier: does not cache refused tokens", async () => {
  const verifier = tokenVerifier(kontrol);
  const token = await other.token();
  assertEquals(await refusalOf(verifier, token), "token is expired");
  assertEquals(verifier.cached(token), undefined);
});

Deno.test("TokenVerifier: a full cache evicts the oldest token, which is verified again", async () => {
  const verifier = tokenVerifier(kontrol, { cacheSize: 2 });
  const texts = await Promise.all([1, 2, 3].map(() => kontrol.token()));
  const [first = "", second = "", third = ""] = texts;
  for (const text of texts) await verifier.verify(text);
  assertEquals(verifier.cached(first), undefined);
  assert(verifier.cached(second) !== undefined && verifier.cached(third) !== undefined);
  assertEquals((await verifier.verify(first)).username, "testuser");
});

Deno.test("TokenVerifier: a cached token expires", async () => {
  let now = Date.now();
  const verifier = tokenVerifier(kontrol, { now: () => now });
  const token = await kontrol.token({ ttl: 60_000 });
  const { expires } = await verifier.verify(token);
  now = expires - 1;
  assert(verifier.cached(token) !== undefined);
  now = expires;
  assertEquals(verifier.cached(token), undefined);
  assertEquals(await refusalOf(verifier, token), "token is expired by 0s");
  now = expires + 93_789_500;
  assertEquals(await refusalOf(verifier, token), "token is expired by 26h3m9s");
  now = expires + 61_500;
  assertEquals(await refusalOf(verifier, token), "token is expired by 1m1s");
});

Deno.test("TokenVerifier: accepts times of any size", async () => {
  const verifier = tokenVerifier(kontrol);
  const claims = { iss: "testuser", sub: "testuser", aud: "/" };
  const sign = (times: Record<string, number>) =>
    signRaw({ alg: "EdDSA" }, { ...claims, ...times }, kontrol.privateKey.key);
  assertEquals((await verifier.verify(await sign({ exp: 1e300, nbf: -1e300 }))).expires, 1e303);
  for (const exp of [0, -1, -1e300, 0.5]) {
    const message = await refusalOf(verifier, await sign({ exp }));
    assert(message.startsWith("token is expired by "), message);
  }
  assertEquals(await refusalOf(verifier, await sign({ nbf: 1e300 })), "token is not valid yet");
});

Deno.test("TokenVerifier: every change of the trusted keys or the identity clears the cache", async () => {
  const trust = { keys: [kontrol.pair.publicKey], user: "testuser", own: { ...OWN } };
  const options: TokenVerifierOptions = {
    trustedKeys: () => trust.keys,
    kontrolUser: () => trust.user,
    identity: () => trust.own,
  };
  const verifier = tokenVerifier(kontrol, options);
  const token = await kontrol.token({ audience: "/testuser/test/echo" });
  const again = async () => {
    assertEquals(verifier.cached(token), undefined);
    await verifier.verify(token);
    assert(verifier.cached(token) !== undefined);
  };
  await again();
  trust.keys = [other.pair.publicKey];
  assertEquals(verifier.cached(token), undefined);
  assertEquals(await refusalOf(verifier, token), "token is expired");
  trust.keys = [other.pair.publicKey, `\n${kontrol.pair.publicKey}\n`];
  await again();
  trust.keys = [];
  assertEquals(await refusalOf(verifier, token), "kontrol key is not set");
  trust.keys = ["no key", kontrol.pair.publicKey];
  await again();
  trust.user = "someone";
  assertEquals(await refusalOf(verifier, token), "issuer is not trusted: testuser");
  trust.user = "";
  assertEquals(await refusalOf(verifier, token), "issuer is not trusted: testuser");
  trust.user = "testuser";
  await again();
  trust.own = { ...OWN, environment: "prod" } as never;
  assertEquals(
    await refusalOf(verifier, token),
    'audience: environment "test" not allowed (/testuser/test/echo)',
  );
});

Deno.test("TokenVerifier: notices a list of trusted keys that is changed in place", async () => {
  const keys = [kontrol.pair.publicKey];
  const verifier = tokenVerifier(kontrol, { trustedKeys: () => keys });
  const token = await kontrol.token();
  await verifier.verify(token);
  keys[0] = other.pair.publicKey;
  assertEquals(verifier.cached(token), undefined);
});

Deno.test("TokenVerifier: reports a damaged trusted key without showing it", async () => {
  const verifier = tokenVerifier(kontrol, { trustedKeys: () => ["-----BEGIN SECRET"] });
  const message = await refusalOf(verifier, await kontrol.token());
  assertEquals(message, "a trusted kontrol key cannot be used");
});

Deno.test("TokenVerifier: accepts clock differences up to the tolerance", async () => {
  const verifier = tokenVerifier(kontrol, { clockTolerance: 30_000 });
  const at = (claims: Record<string, number>) => kontrol.token({ claims });
  const now = seconds();
  for (const claims of [{ exp: now - 20 }, { nbf: now + 20 }, { iat: now + 20 }]) {
    const token = await at(claims);
    assertEquals((await verifier.verify(token)).username, "testuser");
    assert(verifier.cached(token) !== undefined);
    assert((await refusalOf(tokenVerifier(kontrol), token)).length > 0);
  }
  assert(
    (await refusalOf(verifier, await at({ exp: now - 31 }))).startsWith("token is expired by"),
  );
  assertEquals(await refusalOf(verifier, await at({ nbf: now + 40 })), "token is not valid yet");
  assertEquals(await refusalOf(verifier, await at({ iat: now + 40 })), "Token used before issued");
});

Deno.test("TokenVerifier: the owner's audience check replaces the default; only true accepts a token", async () => {
  const token = await kontrol.token({ audience: "/anything" });
  const own = tokenVerifier(kontrol, { audience: (_own, audience) => audience === "/anything" });
  assertEquals((await own.verify(token)).username, "testuser");
  const never = tokenVerifier(kontrol, { audience: () => false });
  assertEquals(await refusalOf(never, token), "audience: not allowed (/anything)");
  const throwing = tokenVerifier(kontrol, {
    audience: () => {
      throw new TypeError("a detail of ours");
    },
  });
  assertEquals(await refusalOf(throwing, token), "audience could not be checked");
  const telling = tokenVerifier(kontrol, {
    audience: () => {
      throw new KiteError("authenticationError", "closed on Sundays");
    },
  });
  assertEquals(await refusalOf(telling, token), "closed on Sundays");
});

Deno.test("bad options are refused by name", () => {
  const bad: readonly (readonly [Partial<TokenVerifierOptions>, string])[] = [
    [{ algorithms: ["HS256" as "RS256"] }, "Cannot use algorithms "],
    [{ algorithms: ["none" as "RS256"] }, "Cannot use algorithms "],
    [{ clockTolerance: -1 }, "Cannot use clockTolerance "],
    [{ clockTolerance: NaN }, "Cannot use clockTolerance "],
    [{ cacheSize: 1.5 }, "Cannot use cacheSize 1.5: must be an integer"],
  ];
  for (const [options, message] of bad) {
    assertThrows(() => tokenVerifier(kontrol, options), KiteError, message);
  }
});
