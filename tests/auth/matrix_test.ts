import { assertEquals, assertMatch } from "@std/assert";
import { KiteKeyVerifier } from "../../src/auth/kite_key_verifier.ts";
import { createTestKeys } from "../../src/testing/keys.ts";
import { refusalOf, seconds, segment, signHmac, signRaw, tokenVerifier } from "./support.ts";

const kontrol = await createTestKeys();
const other = await createTestKeys();
const tokens = tokenVerifier(kontrol);
const kiteKeys = new KiteKeyVerifier({ trustedKeys: () => [kontrol.pair.publicKey] });

const HEADER = { alg: "RS256", typ: "JWT" };
const now = seconds();
const CLAIMS = {
  iss: "testuser",
  sub: "testuser",
  jti: "11111111-1111-4111-8111-111111111111",
  iat: now - 300,
  nbf: now - 300,
  aud: "/testuser/test/echo",
  exp: now + 3600,
};
const KITE_KEY = {
  iss: "testuser",
  sub: "mallory",
  iat: now - 60,
  jti: "x",
  kontrolURL: "http://127.0.0.1:4000/kite",
};

const sign = (claims: unknown, keys = kontrol): Promise<string> =>
  signRaw(HEADER, claims, keys.privateKey.key);

function without(name: keyof typeof CLAIMS): unknown {
  return Object.fromEntries(Object.entries(CLAIMS).filter(([each]) => each !== name));
}

Deno.test("token-good and token-rootaud: the username is the subject", async () => {
  for (const aud of ["/testuser/test/echo", "/"]) {
    const { username, expires, claims } = await tokens.verify(await sign({ ...CLAIMS, aud }));
    assertEquals([username, expires, claims.aud], ["testuser", CLAIMS.exp * 1000, aud]);
  }
});

const REFUSED: Readonly<Record<string, readonly [() => string | Promise<string>, string]>> = {
  "token-future": [
    () => sign({ ...CLAIMS, iat: now + 400, nbf: now + 400 }),
    "token is not valid yet",
  ],
  "token-forged": [() => sign(CLAIMS, other), "token is expired"],
  "token-wrongaud": [
    () => sign({ ...CLAIMS, aud: "/testuser/prod/echo" }),
    'audience: environment "prod" not allowed (/testuser/prod/echo)',
  ],
  "token-wrongname": [
    () => sign({ ...CLAIMS, aud: "/testuser//other" }),
    'audience: kite "other" not allowed (/testuser//other)',
  ],
  "token-wronguser": [
    () => sign({ ...CLAIMS, aud: "/bob" }),
    'audience: username "bob" not allowed (/bob)',
  ],
  "token-noaud": [() => sign(without("aud")), "token has no audience"],
  "token-nosub": [() => sign(without("sub")), "token has no username"],
  "token-wrongiss": [() => sign({ ...CLAIMS, iss: "evil" }), "issuer is not trusted: evil"],
  "token-none": [
    () => `${segment({ alg: "none", typ: "JWT" })}.${segment(CLAIMS)}.`,
    "invalid signing method",
  ],
  "token-hs": [
    () => signHmac({ alg: "HS256", typ: "JWT" }, CLAIMS, kontrol.pair.publicKey),
    "invalid signing method",
  ],
  "token-garbage": [() => "garbage", "token contains an invalid number of segments"],
  "token-a.b.c": [() => "a.b.c", "illegal base64 data at input byte 1"],
};

for (const [name, [token, message]] of Object.entries(REFUSED)) {
  Deno.test(`${name}: ${message}`, async () => {
    assertEquals(await refusalOf(tokens, await token()), message);
  });
}

Deno.test("token-expired: the message has the time since expiry, formatted as in Go", async () => {
  const expired = await sign({ ...CLAIMS, exp: seconds() - 12 });
  assertMatch(await refusalOf(tokens, expired), /^token is expired by 1[2-9]s$/);
  const long = await sign({ ...CLAIMS, exp: seconds() - 7_200 - 65 });
  assertMatch(await refusalOf(tokens, long), /^token is expired by 2h1m\ds$/);
});

Deno.test("token-noexp: accepted only with allowWithoutExpiry", async () => {
  const token = await sign({ iss: "testuser", sub: "testuser", aud: "/testuser/test/echo" });
  assertEquals(await refusalOf(tokens, token), "token has no expiry");
  const lenient = tokenVerifier(kontrol, { allowWithoutExpiry: true });
  assertEquals((await lenient.verify(token)).expires, Infinity);
});

Deno.test("kiteKey-self: the username is the subject, and it never expires", async () => {
  const { username, expires } = await kiteKeys.verify(await kontrol.kiteKey());
  assertEquals([username, expires], ["testuser", Infinity]);
});

Deno.test("kiteKey-otherkontrol", async () => {
  const theirs = await sign({ ...KITE_KEY, kontrolKey: other.pair.publicKey }, other);
  assertEquals(await refusalOf(kiteKeys, theirs), "kontrol key is not trusted");
});

Deno.test("kiteKey-forgedsig", async () => {
  const forged = await sign({ ...KITE_KEY, kontrolKey: kontrol.pair.publicKey }, other);
  assertEquals(await refusalOf(kiteKeys, forged), "crypto/rsa: verification error");
});

Deno.test("kiteKey-nokontrolkey, kiteKey-token-as-kitekey", async () => {
  for (const claims of [KITE_KEY, CLAIMS, { ...KITE_KEY, kontrolKey: " \n" }]) {
    assertEquals(await refusalOf(kiteKeys, await sign(claims)), "no kontrol key found");
  }
});

Deno.test("kiteKey-garbage", async () => {
  const message = "token contains an invalid number of segments";
  assertEquals(await refusalOf(kiteKeys, "garbage"), message);
});

Deno.test("TokenVerifier: refuses a kite.key", async () => {
  assertEquals(await refusalOf(tokens, await kontrol.kiteKey()), "token has no audience");
});
