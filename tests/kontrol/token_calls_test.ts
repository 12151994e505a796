import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects } from "@std/assert";
import { createLocalJWKSet, jwtVerify } from "jose";
import { KiteError } from "../../mod.ts";
import type { SignableClaims } from "../../src/auth/claims.ts";
import { readTokenClaims, signToken } from "../../src/auth/jwt.ts";
import { generateKeyPair, importPrivateKey, type KeyAlgorithm } from "../../src/auth/keys.ts";
import { createTestKeys } from "../../src/testing/keys.ts";
import { eventually } from "../support/eventually.ts";
import { baseOf, connectTo, find, get, startKontrol } from "./support.ts";

async function jwksOf(kontrol: { readonly url: string }) {
  const { status, text } = await get(`${baseOf(kontrol)}/.well-known/jwks.json`);
  assertEquals(status, 200);
  return JSON.parse(text) as { keys: { kid: string; alg: string; use: string; d?: string }[] };
}

for (const algorithm of ["RS256", "ES256", "EdDSA"] as const satisfies readonly KeyAlgorithm[]) {
  Deno.test(`tokens: ${algorithm} keys sign kite.keys and tokens, which kites and the JWKS verify`, async () => {
    await using kontrol = await startKontrol({ algorithm });
    const math = await kontrol.newKite("math", "1.0.0", { username: "bob" });
    math.handle("whoami", ({ username }) => username);
    await math.register((await math.listen()).url);
    const caller = await kontrol.newKite("caller", "1.0.0", { username: "alice" });
    const [client] = await caller.getKites({ name: "math" });
    await client!.dial();
    assertEquals(await client!.tell("whoami"), "alice");

    const token = client!.authentication?.key ?? "";
    const jwks = await jwksOf(kontrol);
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), {
      issuer: "testuser",
      audience: "/bob/test/math",
    });
    assertEquals([payload.sub, protectedHeader.alg], ["alice", algorithm]);
    assertEquals(protectedHeader.kid, (await kontrol.kontrol.keys.own()).id);
    assertEquals(jwks.keys.map(({ alg, use, d }) => [alg, use, d]), [[
      algorithm,
      "sig",
      undefined,
    ]]);
  });
}

Deno.test("tokens: are signed with the kite's key pair; the JWKS omits deleted pairs", async () => {
  await using kontrol = await startKontrol();
  const { keys } = kontrol.kontrol;
  const own = await keys.own();
  const other = await keys.add(await generateKeyPair("ES256"));
  const math = await kontrol.newKite("math", "1.0.0", {
    kiteKey: await keys.signKiteKey("testuser", other),
  });
  await math.register("http://127.0.0.1:1/kite");
  const { client } = await connectTo(kontrol);
  const kidOf = async () => {
    const [found] = await find(client, { name: "math" });
    return JSON.parse(atob(found!.token.split(".")[0]!)).kid;
  };
  assertEquals(await kidOf(), other.id);
  assertEquals((await jwksOf(kontrol)).keys.map(({ kid }) => kid), [other.id, own.id]);
  await keys.keyPairs.softDelete(other.id);
  assertEquals(await kidOf(), own.id);
  assertEquals((await jwksOf(kontrol)).keys.map(({ kid }) => kid), [own.id]);
});

Deno.test("tokens: a query by id or a few fields yields a token for the found kite only", async () => {
  await using kontrol = await startKontrol();
  const make = async (name: string, username: string) => {
    const kite = await kontrol.newKite(name, "1.0.0", { username });
    kite.handle("secret", () => name);
    const { url } = await kite.listen();
    await kite.register(url);
    return { kite, url };
  };
  const [math, vault, bobs] = [
    await make("math", "alice"),
    await make("vault", "alice"),
    await make("math", "bob"),
  ];
  const caller = await kontrol.newKite("caller", "1.0.0", { username: "mallory" });
  const tokens = [
    await caller.getToken({ id: math.kite.id }),
    await caller.getToken({ username: "alice", name: "math" }),
    (await caller.getKites({ username: "alice", name: "math" }))[0]!.authentication!.key,
  ];
  for (const key of tokens) {
    for (const { kite, url } of [math, vault, bobs]) {
      const client = caller.newClient(url, { authentication: { type: "token", key } });
      await client.dial();
      if (kite === math.kite) assertEquals(await client.tell("secret"), "math");
      else {
        const error = await assertRejects(() => client.tell("secret"), KiteError);
        assertEquals(error.type, "authenticationError");
        assertMatch(error.message, /^token: audience: /);
      }
      client.close();
    }
  }
});

Deno.test("tokens: the client renews short-lived tokens in time, repeatedly", async () => {
  await using kontrol = await startKontrol({ tokens: { timeToLive: 31_500, leeway: 0 } });
  const math = await kontrol.newKite("math");
  math.handle("square", ({ args }) => args.one().number() ** 2);
  await math.register((await math.listen()).url);
  const caller = await kontrol.newKite("caller");
  const [client] = await caller.getKites({ name: "math" });
  const tokens = new Set([client!.authentication!.key]);
  client!.onTokenRenew(({ key }) => tokens.add(key));
  await client!.dial();
  const end = performance.now() + 3_500;
  while (performance.now() < end) {
    assertEquals(await client!.tell("square", 4), 16);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert(tokens.size >= 3 && tokens.size <= 6, `${tokens.size} tokens in 3.5 s`);
});

Deno.test("tokens: a call with an expired token waits for a new one", async () => {
  await using kontrol = await startKontrol({ tokens: { timeToLive: 1_000, leeway: 0 } });
  const math = await kontrol.newKite("math");
  math.handle("square", ({ args }) => args.one().number() ** 2);
  await math.register((await math.listen()).url);
  const caller = await kontrol.newKite("caller");
  const [client] = await caller.getKites({ name: "math" });
  // Not renewed until the client connects.
  const expired = client!.authentication!.key;
  await eventually(() => (readTokenClaims(expired).exp ?? 0) * 1000 < Date.now(), {
    what: "expiry of the token",
  });
  await client!.dial();
  const answers = await Promise.all([2, 3, 4].map((x) => client!.tell("square", x)));
  assertEquals(answers, [4, 9, 16]);
  assertNotEquals(client!.authentication!.key, expired);
});

Deno.test("tokens: a token that the remote rejects as expired is renewed", async () => {
  await using kontrol = await startKontrol();
  const math = await kontrol.newKite("math");
  math.handle("square", ({ args }) => args.one().number() ** 2);
  await math.register((await math.listen()).url);
  const caller = await kontrol.newKite("caller");
  const [client] = await caller.getKites({ name: "math" });
  const { pair } = await createTestKeys();
  const claims = readTokenClaims(client!.authentication!.key) as SignableClaims;
  const forged = await signToken(claims, await importPrivateKey(pair.privateKey));
  client!.authentication = { type: "token", key: forged };
  const renewed = Promise.withResolvers<string>();
  client!.onTokenRenew(({ key }) => renewed.resolve(key));
  await client!.dial();
  await assertRejects(() => client!.tell("square", 4), KiteError, "token is expired");
  assertNotEquals(await renewed.promise, forged);
  assertEquals(await client!.tell("square", 4), 16);
});
