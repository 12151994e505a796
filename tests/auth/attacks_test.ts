import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import fc from "fast-check";
import { KiteKeyVerifier } from "../../src/auth/kite_key_verifier.ts";
import { KEY_ALGORITHMS } from "../../src/auth/keys.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys } from "../../src/testing/keys.ts";
import {
  base64url,
  refusalOf,
  seconds,
  segment,
  signHmac,
  signRaw,
  tokenVerifier,
} from "./support.ts";

const kontrol = await createTestKeys();
const attacker = await createTestKeys();
const tokens = tokenVerifier(kontrol);
const kiteKeys = new KiteKeyVerifier({ trustedKeys: () => [kontrol.pair.publicKey] });

const CLAIMS = { iss: "testuser", sub: "mallory", aud: "/", exp: seconds() + 3600 };
const BAD_ALGORITHM = "invalid signing method";

Deno.test("TokenVerifier: refuses HS256 tokens signed with the public key, in every spelling of the header", async () => {
  const pem = kontrol.pair.publicKey;
  for (const secret of [pem, `${pem}\n`, pem.trim(), pem.split("\n").slice(1, -1).join("")]) {
    for (const alg of ["HS256", "HS384", "HS512", "hs256"]) {
      const token = await signHmac({ alg }, CLAIMS, secret);
      assertEquals(await refusalOf(tokens, token), BAD_ALGORITHM);
    }
    const hidden = await signHmac({ alg: "RS256" }, CLAIMS, secret);
    assertEquals(await refusalOf(tokens, hidden), "token is expired");
    const kiteKey = { ...CLAIMS, kontrolKey: pem };
    const forged = await signHmac({ alg: "RS256" }, kiteKey, secret);
    assertEquals(await refusalOf(kiteKeys, forged), "crypto/rsa: verification error");
    assertEquals(
      await refusalOf(kiteKeys, await signHmac({ alg: "HS256" }, kiteKey, secret)),
      BAD_ALGORITHM,
    );
  }
});

Deno.test("TokenVerifier: refuses `none` and every unknown alg, with and without a signature", async () => {
  const good = await kontrol.token();
  const signature = good.slice(good.lastIndexOf(".") + 1);
  const algorithms = ["none", "None", "NONE", "nOnE", "", " RS256", "RS256 ", "rs256", "RS512"];
  const headers: unknown[] = [...algorithms, null, 0, true, ["RS256"], { RS256: 1 }]
    .map((alg) => ({ alg }));
  headers.push({}, { ALG: "RS256" }, JSON.parse('{"__proto__":{"alg":"RS256"}}'));
  for (const header of headers) {
    for (const end of ["", signature, "AAAA"]) {
      for (const verifier of [tokens, kiteKeys]) {
        const claims = { ...CLAIMS, kontrolKey: kontrol.pair.publicKey };
        const token = `${segment(header)}.${segment(claims)}.${end}`;
        assertEquals(await refusalOf(verifier, token), BAD_ALGORITHM);
      }
    }
  }
});

Deno.test("TokenVerifier: ignores keys that a token contains or links to", async () => {
  const publicKey = await importKeyAsJwk(attacker.pair.publicKey);
  const url = "http://127.0.0.1:1/keys";
  const der = attacker.pair.publicKey.split("\n").slice(1, -1).join("");
  const tricks: Readonly<Record<string, unknown>>[] = [
    { jwk: publicKey },
    { jku: url },
    { x5u: url },
    { x5c: [der] },
    { kid: "../../dev/null" },
    { kid: attacker.pair.publicKey },
    { kid: "' OR 1=1 --" },
    { kid: { toString: "x" } },
    { jwk: publicKey, jku: url, kid: "1", x5c: [der], x5t: "x" },
  ];
  for (const trick of tricks) {
    const header = { alg: "RS256", ...trick };
    const forged = await signRaw(header, CLAIMS, attacker.privateKey.key);
    assertEquals(await refusalOf(tokens, forged), "token is expired");
    const genuine = await signRaw(header, CLAIMS, kontrol.privateKey.key);
    assertEquals((await tokens.verify(genuine)).username, "mallory");
  }
});

Deno.test("TokenVerifier: refuses critical headers, even in a signed token", async () => {
  for (const crit of [["b64"], [], "exp", null, ["exp"]]) {
    const token = await signRaw({ alg: "RS256", b64: false, crit }, CLAIMS, kontrol.privateKey.key);
    assertEquals(await refusalOf(tokens, token), "critical token headers are not supported");
  }
});

Deno.test("TokenVerifier: refuses an allowed algorithm that is not the key's", async () => {
  const trusted = await Promise.all(
    KEY_ALGORITHMS.map((algorithm) => createTestKeys({ algorithm })),
  );
  for (const own of trusted) {
    const verifier = tokenVerifier(own);
    assertEquals((await verifier.verify(await own.token())).username, "testuser");
    const only = new KiteKeyVerifier({ trustedKeys: () => [own.pair.publicKey] });
    assertEquals((await only.verify(await own.kiteKey("alice"))).username, "alice");
    for (const other of trusted) {
      if (other === own) continue;
      assertEquals(await refusalOf(verifier, await other.token()), "token is expired");
      const claims = { sub: "mallory", kontrolKey: own.pair.publicKey };
      const forged = await signRaw({ alg: "RS256" }, claims, attacker.privateKey.key);
      const message = own.pair.algorithm === "RS256"
        ? "crypto/rsa: verification error"
        : BAD_ALGORITHM;
      assertEquals(await refusalOf(only, forged), message);
    }
  }
});

Deno.test("TokenVerifier: with RS256 only, refuses other algorithms of trusted keys", async () => {
  const keys = await createTestKeys({ algorithm: "EdDSA" });
  const verifier = tokenVerifier(keys, { algorithms: ["RS256"] });
  assertEquals(await refusalOf(verifier, await keys.token()), BAD_ALGORITHM);
});

Deno.test("TokenVerifier: refuses changed claims, foreign signatures and truncated tokens", async () => {
  const [head, body, signature] = (await kontrol.token()).split(".");
  const [, , otherSignature] = (await kontrol.token()).split(".");
  const forged = [
    `${head}.${segment({ ...CLAIMS, sub: "root" })}.${signature}`,
    `${head}.${body}.${otherSignature}`,
    `${head}.${body}.${signature?.slice(0, -4)}`,
    `${head}.${body}.`,
    `${segment({ alg: "RS256", typ: "JWT", x: 1 })}.${body}.${signature}`,
    `${head}.${body}.${base64url(new Uint8Array(256))}`,
  ];
  for (const token of forged) assertEquals(await refusalOf(tokens, token), "token is expired");
});

Deno.test("TokenVerifier: names a signed claim of a wrong type", async () => {
  const wrong: readonly (readonly [string, unknown, string])[] = [
    ["exp", "9999999999", "number"],
    ["exp", true, "number"],
    ["nbf", [], "number"],
    ["iat", {}, "number"],
    ["sub", 7, "string"],
    ["iss", ["testuser"], "string"],
    ["jti", {}, "string"],
    ["kontrolKey", ["x"], "string"],
    ["aud", 1, "string"],
    ["aud", [1], "string"],
    ["aud", { 0: "/" }, "string"],
  ];
  for (const [name, value, kind] of wrong) {
    const claims = { ...CLAIMS, [name]: value };
    const token = await signRaw({ alg: "RS256" }, claims, kontrol.privateKey.key);
    const message = await refusalOf(tokens, token);
    assert(message.startsWith(`token claim "${name}" is n`) && message.includes(kind), message);
  }
  const infinite = `${segment({ alg: "RS256" })}.${base64url(bytesOf('{"exp":1e999}'))}.AAAA`;
  assertEquals(await refusalOf(tokens, infinite), 'token claim "exp" is not a number');
});

Deno.test("TokenVerifier: accepts several audiences if one covers the kite", async () => {
  const sign = (aud: unknown) =>
    signRaw({ alg: "RS256" }, { ...CLAIMS, aud }, kontrol.privateKey.key);
  assertEquals((await tokens.verify(await sign(["/bob", "/testuser"]))).username, "mallory");
  assertEquals(await refusalOf(tokens, await sign([])), "token has no audience");
  assertEquals(
    await refusalOf(tokens, await sign(["/bob", "/eve"])),
    'audience: username "bob" not allowed (/bob)',
  );
});

Deno.test("TokenVerifier: refuses garbage of every kind", async () => {
  const good = await kontrol.token();
  const texts = [
    "",
    ".",
    "..",
    "...",
    ".".repeat(16_000),
    "a".repeat(1_000_000),
    `${good}.`,
    `.${good}`,
    `${good} `,
    good.replaceAll(".", "\u0000"),
    `${"\u{1f600}".repeat(50)}.x.y`,
    `${base64url(bytesOf("[".repeat(11_000)))}.e30.AA`,
    `${base64url(bytesOf("null"))}.e30.AA`,
    `${segment([])}.${segment([])}.AA`,
    `${segment({ alg: "RS256" })}.${segment(null)}.AA`,
    `${base64url(new Uint8Array([0xff, 0xfe, 0xfd]))}.e30.AA`,
  ];
  for (const text of texts) await assertRefused(text);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: "binary", maxLength: 200 }), assertRefused),
    { numRuns: 300 },
  );
  const segments = fc.oneof(
    fc.json().map((json) => base64url(bytesOf(json))),
    fc.base64String({ maxLength: 64 }),
    fc.constant(segment({ alg: "RS256" })),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(segments, { maxLength: 5 }),
      (parts) => assertRefused(parts.join(".")),
    ),
    { numRuns: 300 },
  );
  assertEquals((await tokens.verify(good)).username, "testuser");
});

Deno.test("TokenVerifier: refuses values that are not strings", async () => {
  for (const value of [undefined, null, 7, true, {}, [], ["a.b.c"], () => "a.b.c"]) {
    const token = value as unknown as string;
    assertEquals(tokens.cached(token), undefined);
    assertEquals(await refusalOf(tokens, token), "token is not a string");
    assertEquals(await refusalOf(kiteKeys, token), "token is not a string");
  }
});

Deno.test("TokenVerifier: errors never contain the token, and quote only short printable text", async () => {
  const sign = (claims: unknown) => signRaw({ alg: "RS256" }, claims, kontrol.privateKey.key);
  const long = "x".repeat(4_000);
  const cases = [
    await sign({ ...CLAIMS, iss: `evil\r\n\u001b[31m${long}` }),
    await sign({ ...CLAIMS, aud: `/\u0007${long}` }),
    await sign({ ...CLAIMS, aud: `/a\n/${long}/${long}` }),
    await sign({ ...CLAIMS, exp: 1 }),
    await attacker.token(),
    `${(await kontrol.token()).slice(0, -9)}*`,
  ];
  for (const token of cases) {
    const message = await refusalOf(tokens, token);
    // deno-lint-ignore no-control-regex -- control characters are what is looked for
    assert(message.length < 700 && !/[\u0000-\u001f\u007f]/.test(message), message);
    for (const part of token.split(".")) assert(!message.includes(part.slice(0, 40)), message);
  }
});

async function assertRefused(text: string): Promise<void> {
  for (const verifier of [tokens, kiteKeys]) {
    assertEquals(verifier.cached(text), undefined);
    const error = await assertRejects(() => verifier.verify(text));
    assertInstanceOf(error, KiteError);
    assertEquals(error.type, "authenticationError");
    assert(text.length < 30 || !error.message.includes(text));
  }
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function importKeyAsJwk(pem: string): Promise<JsonWebKey> {
  const der = Uint8Array.from(atob(pem.split("\n").slice(1, -1).join("")), (c) => c.charCodeAt(0));
  const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("spki", der, algorithm, true, ["verify"]);
  return await crypto.subtle.exportKey("jwk", key);
}
