import {
  assert,
  assertEquals,
  assertInstanceOf,
  assertNotEquals,
  assertRejects,
} from "@std/assert";
import { hasSignatureOf, parseToken, signToken } from "../../src/auth/jwt.ts";
import {
  canonicalPublicKey,
  generateKeyPair,
  importPrivateKey,
  importPublicKey,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  publicKeyOf,
} from "../../src/auth/keys.ts";
import { writePem } from "../../src/auth/pem.ts";
import { KiteError } from "../../src/protocol/errors.ts";

const rsa = await generateKeyPair("RS256");

/** The DER inside a PEM text. */
function derOf(pem: string): Uint8Array {
  const base64 = pem.split("\n").filter((line) => !line.startsWith("-")).join("");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

async function refusal(work: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(work);
  assertInstanceOf(error, KiteError);
  assertEquals(error.type, "configError");
  return error.message;
}

async function fits(publicPem: string, privatePem: string): Promise<boolean> {
  const text = await signToken({ sub: "alice" }, await importPrivateKey(privatePem));
  return await hasSignatureOf(parseToken(text, KEY_ALGORITHMS), await importPublicKey(publicPem));
}

for (const algorithm of KEY_ALGORITHMS) {
  Deno.test(`${algorithm}: a new pair signs and verifies, and its public half can be found`, async () => {
    const pair = await generateKeyPair(algorithm);
    assertEquals(pair.publicKey, pair.publicKey.trim());
    assertEquals(pair.publicKey.split("\n")[0], "-----BEGIN PUBLIC KEY-----");
    assertEquals((await importPublicKey(pair.publicKey)).algorithm, algorithm);
    assertEquals((await importPrivateKey(pair.privateKey)).key.extractable, false);
    assert(await fits(pair.publicKey, pair.privateKey));
    assert(!await fits((await generateKeyPair(algorithm)).publicKey, pair.privateKey));
    assertEquals(await publicKeyOf(pair.privateKey), pair.publicKey);
  });
}

Deno.test("importPrivateKey: accepts PKCS#1 and SEC 1", async () => {
  // PKCS#8 of an RSA key: 26 bytes of version, algorithm and OCTET STRING, then PKCS#1.
  const pkcs1 = writePem("RSA PRIVATE KEY", derOf(rsa.privateKey).slice(26));
  assertEquals(await publicKeyOf(pkcs1), rsa.publicKey);
  // SPKI: 24 bytes of algorithm and BIT STRING, then PKCS#1.
  const pkcs1Public = writePem("RSA PUBLIC KEY", derOf(rsa.publicKey).slice(24));
  assert(await fits(pkcs1Public, pkcs1));
  const ec = await generateKeyPair("ES256");
  // PKCS#8 of a P-256 key: 29 bytes, then SEC 1. OpenSSL puts the parameters before it.
  const sec1 = writePem("EC PRIVATE KEY", derOf(ec.privateKey).slice(29));
  const parameters = writePem(
    "EC PARAMETERS",
    new Uint8Array([6, 8, 42, 134, 72, 206, 61, 3, 1, 7]),
  );
  assert(await fits(ec.publicKey, `${parameters}\n${sec1}\n`));
});

Deno.test("importPublicKey: ignores text around a key, and accepts Windows line ends", async () => {
  const windows = `My key\r\n${rsa.privateKey.replaceAll("\n", "\r\n")}\r\n`;
  assertEquals(await publicKeyOf(windows), rsa.publicKey);
});

Deno.test("importPublicKey: refuses RSA keys of less than 2048 bits", async () => {
  const parameters = {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    modulusLength: 1024,
    publicExponent: new Uint8Array([1, 0, 1]),
  };
  const weak = await crypto.subtle.generateKey(parameters, true, ["sign", "verify"]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", weak.publicKey));
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", weak.privateKey));
  const message = "Cannot use key: it has 1024 bits; RSA keys must have 2048 to 8192";
  assertEquals(await refusal(() => importPublicKey(writePem("PUBLIC KEY", spki))), message);
  assertEquals(await refusal(() => importPrivateKey(writePem("PRIVATE KEY", pkcs8))), message);
});

/** Keys that OpenSSL made for these tests, each of a kind that kites do not support. */
const SEC1_P384 =
  "MIGkAgEBBDA7by9/bONNbYVVHFxkLZy+9L2bidTehMJuyavrywmHWy79GZ03QdzR+syIjw/F7z2gBwYFK4EEACKhZANiAAQwnzGJcvFvi3/t4/LPmdxXsvmfNFZp/8q8fwmVYR3laFIFepSHzTYIlJ8Fje7PlpaJZj4rn6DrW/2i1qqOxMaXMJRqWKfc7rnx0nHRWXQkWbTDZAqWeX0tzUDf7nIChk4=";
const PKCS8_SECP256K1 =
  "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgAIFq7dGQkpigYz1JKkzoYkuCm4g0jEy4c3EGxjoUsVahRANCAARXNXsQ6V/2mhBzzQcRdUiTBGkisak2UV3VGNZUj2CjO56mM5uur3+cP9JHihZUv8Dqnved0kUd7zGGzinTA1pF";
const PKCS8_P224 =
  "MHgCAQAwEAYHKoZIzj0CAQYFK4EEACEEYTBfAgEBBBxfx3V0zNivlORV7H0+gXy6+wzzvsw7XswFyqjsoTwDOgAE0aqw+HE+TqgWPH3LWDFb58aPmHJ145MWlRbjXasupngXuwhEFwsNaVzCGtlPtyRzfKOCOAUnb+g=";
const PKCS8_ED448 =
  "MEcCAQAwBQYDK2VxBDsEOdlW/paLoKt4SE2Tl9/6fopRF3mtTTdqC+wxxv5w964iMCatgIozAkNtkQdr0lnv3knh9R7vLsQC2g==";
const PKCS8_X25519 = "MC4CAQAwBQYDK2VuBCIEILCdj80iAkRpGkbuyg0FF3CnUYGZfrciuxCP8Vo1O7lh";

/** Each of those keys, and what the error says of it. */
const UNSUPPORTED: readonly (readonly [label: string, base64: string, is: string])[] = [
  ["EC PRIVATE KEY", SEC1_P384, "its curve is P-384"],
  ["PRIVATE KEY", PKCS8_SECP256K1, "its curve is secp256k1"],
  ["PRIVATE KEY", PKCS8_P224, "its curve is P-224"],
  ["PRIVATE KEY", PKCS8_ED448, "its algorithm is Ed448"],
  ["PRIVATE KEY", PKCS8_X25519, "its algorithm is X25519"],
];

for (const [label, base64, is] of UNSUPPORTED) {
  Deno.test(`importPrivateKey names what it does not support: ${label}, ${is}`, async () => {
    const pem = `-----BEGIN ${label}-----\n${base64}\n-----END ${label}-----`;
    const message = await refusal(() => importPrivateKey(pem));
    assertEquals(message, `Cannot use key: ${is}; only RSA, P-256 and Ed25519 are supported`);
  });
}

for (const curve of ["P-384", "P-521"]) {
  Deno.test(`importPublicKey names the curve that it does not support: ${curve}`, async () => {
    const parameters = { name: "ECDSA", namedCurve: curve };
    const pair = await crypto.subtle.generateKey(parameters, true, ["sign", "verify"]);
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
    const message = await refusal(() => importPublicKey(writePem("PUBLIC KEY", spki)));
    assertEquals(
      message,
      `Cannot use key: its curve is ${curve}; only RSA, P-256 and Ed25519 are supported`,
    );
  });
}

Deno.test("canonicalPublicKey: returns the same text for every spelling of a key", async () => {
  const { publicKey } = rsa;
  const base64 = publicKey.split("\n").slice(1, -1).join("");
  const wrapped = base64.replace(/.{1,76}/g, "$&\n");
  for (
    const text of [
      publicKey,
      `${publicKey}\n`,
      publicKey.replaceAll("\n", "\r\n"),
      publicKey.replaceAll("\n", "\r"),
      `\ufeff  ${publicKey.replaceAll("\n", " \t\n")}\n\n`,
      `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----`,
      `-----BEGIN PUBLIC KEY-----\n${wrapped}-----END PUBLIC KEY-----`,
      writePem("RSA PUBLIC KEY", derOf(publicKey).slice(24)),
    ]
  ) assertEquals(canonicalPublicKey(text), publicKey);
  const other = (await generateKeyPair("RS256")).publicKey;
  assertNotEquals(canonicalPublicKey(other), publicKey);
  assertEquals(canonicalPublicKey(" no key \n"), "no key");
});

Deno.test("importPublicKey: errors name the reason and what is accepted, and never show the key", async () => {
  const body = rsa.privateKey.split("\n")[3] ?? "";
  const encrypted = writePem("RSA PRIVATE KEY", derOf(rsa.privateKey))
    .replace("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n");
  const cases: readonly (readonly [string, string])[] = [
    ["", "it holds no key"],
    ["nonsense", "it holds no key"],
    [body, "it holds no key"],
    [`-----BEGIN ${body}-----`, "it holds no key"],
    [rsa.publicKey, "it holds a PUBLIC KEY block"],
    [writePem("CERTIFICATE", new Uint8Array(9)), "it holds a CERTIFICATE block"],
    [writePem("ENCRYPTED PRIVATE KEY", new Uint8Array(9)), "ENCRYPTED PRIVATE KEY"],
    [encrypted, "the key is encrypted"],
    [rsa.privateKey.slice(0, 900), '"-----END PRIVATE KEY-----" is missing'],
    [rsa.privateKey.replace("\nM", "\n*"), "is not base64"],
    [rsa.privateKey + " ".repeat(32_768), "longer than 32768 characters"],
    [writePem("PRIVATE KEY", derOf(rsa.privateKey).slice(0, 600)), "it is damaged"],
    [writePem("PRIVATE KEY", new Uint8Array(0)), "it is damaged"],
    [writePem("PRIVATE KEY", new Uint8Array(600).fill(0x30)), "it is damaged"],
  ];
  for (const [pem, expected] of cases) {
    const message = await refusal(() => importPrivateKey(pem));
    assert(message.includes(expected), `${message} // ${expected}`);
    for (const line of rsa.privateKey.split("\n").slice(1, -1)) assert(!message.includes(line));
  }
});

Deno.test("generateKeyPair: refuses an unknown algorithm and lists the known ones", async () => {
  const message = await refusal(() => generateKeyPair("HS256" as KeyAlgorithm));
  assertEquals(message, "Cannot use this key algorithm: must be one of RS256, ES256, EdDSA");
});

Deno.test("signToken: refuses claims that a Go kite cannot read", async () => {
  const key = await importPrivateKey(rsa.privateKey);
  const unreadable: readonly (readonly [string, unknown])[] = [
    ["exp", 1.5],
    ["iat", Infinity],
    ["nbf", "1"],
    ["aud", ["/"]],
    ["sub", 1],
  ];
  for (const [name, value] of unreadable) {
    const claims: Record<string, unknown> = { [name]: value };
    const message = await refusal(() => signToken(claims, key));
    assert(message.startsWith(`Cannot use claim ${name}: must be `), message);
  }
});

Deno.test("signToken: sets kid only with the option keyId", async () => {
  const key = await importPrivateKey(rsa.privateKey);
  const headerOf = (text: string): unknown => JSON.parse(atob(text.split(".")[0] ?? ""));
  const plain = await signToken({ sub: "alice" }, key);
  assertEquals(headerOf(plain), { alg: "RS256", typ: "JWT" });
  const named = await signToken({ sub: "alice" }, key, { keyId: "k1" });
  assertEquals(headerOf(named), { alg: "RS256", typ: "JWT", kid: "k1" });
});

Deno.test("importPrivateKey: accepts keys written by OpenSSL", async (test) => {
  const forms: Readonly<Record<string, readonly string[]>> = {
    "RSA, PKCS#1": ["genrsa", "-traditional", "2048"],
    "RSA, PKCS#8": ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "P-256, SEC 1": ["ecparam", "-name", "prime256v1", "-genkey"],
    "Ed25519, PKCS#8": ["genpkey", "-algorithm", "ed25519"],
  };
  for (const [name, args] of Object.entries(forms)) {
    const made = await openssl(args);
    if (made === undefined) {
      if (Deno.env.get("CI") === "true") throw new Error("openssl is missing");
      // deno-lint-ignore no-console -- the one line that tells of what was not tested
      console.log("skipped: openssl is missing");
      return;
    }
    await test.step(name, async () => {
      const own = await openssl(["pkey", "-pubout"], made) ?? "";
      assertEquals(await publicKeyOf(made), own.trim());
      assert(await fits(own, made));
    });
  }
});

async function openssl(args: readonly string[], input = ""): Promise<string | undefined> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("openssl", {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(20_000),
    }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { stdout, success } = await child.output();
  if (!success) throw new Error(`openssl ${args[0]} failed`);
  return new TextDecoder().decode(stdout);
}
