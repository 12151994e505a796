import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  createKiteKey,
  kiteHome,
  readKiteKeyClaims,
  readKiteKeyFile,
  writeKiteKeyFile,
} from "../../src/auth/kite_key.ts";
import { KiteKeyVerifier, type KiteKeyVerifierOptions } from "../../src/auth/kite_key_verifier.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys } from "../../src/testing/keys.ts";
import { refusalOf, seconds, signRaw } from "./support.ts";

const kontrol = await createTestKeys();
const other = await createTestKeys();

function verifier(options: Partial<KiteKeyVerifierOptions> = {}): KiteKeyVerifier {
  return new KiteKeyVerifier({ trustedKeys: () => [kontrol.pair.publicKey], ...options });
}

Deno.test("KiteKeyVerifier: caches both results of verify", async () => {
  let now = Date.now();
  const asked: string[] = [];
  let answer = true;
  const own = verifier({
    now: () => now,
    verify: (key) => {
      asked.push(key);
      return Promise.resolve(answer);
    },
  });
  const alice = await other.kiteKey("alice");
  const bob = await other.kiteKey("bob");
  await Promise.all([own.verify(alice), own.verify(bob)]);
  assertEquals(asked, [other.pair.publicKey]);
  assertEquals(own.cached(alice)?.username, "alice");
  await own.verify(await kontrol.kiteKey());
  assertEquals(asked.length, 1);

  now += 300_000;
  assertEquals(own.cached(alice), undefined);
  answer = false;
  assertEquals(await refusalOf(own, alice), "kontrol key is not trusted");
  assertEquals(await refusalOf(own, bob), "invalid kontrol key found");
  assertEquals(asked.length, 2);

  now += 300_000;
  answer = true;
  assertEquals((await own.verify(bob)).username, "bob");
});

Deno.test("KiteKeyVerifier: refuses a signature of another key than the named one", async () => {
  const claims = { sub: "mallory", kontrolKey: other.pair.publicKey };
  const forged = await signRaw({ alg: "RS256" }, claims, kontrol.privateKey.key);
  const own = verifier({ verify: () => true });
  assertEquals(await refusalOf(own, forged), "crypto/rsa: verification error");
});

Deno.test("KiteKeyVerifier: with a verifyTtl of 0, calls verify every time", async () => {
  let asked = 0;
  const own = verifier({ verifyTtl: 0, verify: () => ++asked > 0 });
  const text = await other.kiteKey();
  for (const expected of [1, 2]) {
    await own.verify(text);
    assertEquals([asked, own.cached(text)], [expected, undefined]);
  }
});

Deno.test("KiteKeyVerifier: refuses if verify throws, hangs, or does not return true", async () => {
  const text = await other.kiteKey();
  let calls = 0;
  const failing = verifier({
    verify: () => {
      calls++;
      throw new Error("database password is hunter2");
    },
  });
  assertEquals(await refusalOf(failing, text), "kontrol key could not be verified");
  assertEquals(await refusalOf(failing, text), "kontrol key could not be verified");
  assertEquals(calls, 2);
  const away = verifier({
    verify: () => Promise.reject(new KiteError("storageError", "10.0.0.7 does not answer")),
  });
  assertEquals(await refusalOf(away, text), "kontrol key could not be verified");
  const telling = verifier({
    verify: () => Promise.reject(new KiteError("authenticationError", "no key pair found")),
  });
  assertEquals(await refusalOf(telling, text), "no key pair found");
  const hanging = verifier({ verifyTimeout: 20, verify: () => new Promise(() => {}) });
  assertEquals(await refusalOf(hanging, text), "kontrol key could not be verified in time");
  for (const nonsense of ["yes", 1, {}, undefined]) {
    const odd = verifier({ verify: () => nonsense as unknown as boolean });
    assertEquals(await refusalOf(odd, text), "kontrol key is not trusted");
  }
});

Deno.test("KiteKeyVerifier: reports an invalid trusted key without showing it", async () => {
  const claims = { sub: "alice", kontrolKey: "no key at all" };
  const text = await signRaw({ alg: "RS256" }, claims, kontrol.privateKey.key);
  const own = verifier({ verify: () => true });
  assertEquals(await refusalOf(own, text), "kontrol key cannot be used");
});

Deno.test("KiteKeyVerifier: checks the times and the username", async () => {
  const sign = (claims: Record<string, unknown>) =>
    signRaw(
      { alg: "RS256" },
      { sub: "alice", kontrolKey: ` ${kontrol.pair.publicKey}\n`, ...claims },
      kontrol.privateKey.key,
    );
  const own = verifier();
  const now = seconds();
  assertEquals((await own.verify(await sign({ exp: now + 60 }))).expires, (now + 60) * 1000);
  assert((await refusalOf(own, await sign({ exp: now - 5 }))).startsWith("token is expired by "));
  assertEquals(await refusalOf(own, await sign({ nbf: now + 60 })), "token is not valid yet");
  assertEquals(await refusalOf(own, await sign({ iat: now + 60 })), "Token used before issued");
  for (const sub of ["", null, undefined]) {
    assertEquals(await refusalOf(own, await sign({ sub })), "token has no username");
  }
});

Deno.test("KiteKeyVerifier: a new Kontrol key invalidates cached kite.keys of the former one", async () => {
  let key = kontrol.pair.publicKey;
  const own = verifier({ trustedKeys: () => [key] });
  const text = await kontrol.kiteKey();
  await own.verify(text);
  key = other.pair.publicKey;
  assertEquals(own.cached(text), undefined);
  assertEquals(await refusalOf(own, text), "kontrol key is not trusted");
});

Deno.test("KiteKeyVerifier: names an invalid option", () => {
  for (const option of ["verifyTtl", "verifyTimeout"]) {
    for (const value of [-1, NaN]) {
      const message = `Cannot use ${option} `;
      assertThrows(() => verifier({ [option]: value }), KiteError, message);
    }
  }
});

Deno.test("createKiteKey: signs the given claims, and refuses empty options", async () => {
  const options = {
    username: "alice",
    kontrolUser: "kontrol",
    kontrolUrl: "http://127.0.0.1:4000/kite",
    privateKey: kontrol.privateKey,
    publicKeyPem: `${kontrol.pair.publicKey}\n`,
    id: "an-id",
    issuedAt: 1_500_000_000_999,
  };
  assertEquals({ ...readKiteKeyClaims(` ${await createKiteKey(options)}\n`) }, {
    iss: "kontrol",
    sub: "alice",
    iat: 1_500_000_000,
    jti: "an-id",
    kontrolURL: "http://127.0.0.1:4000/kite",
    kontrolKey: kontrol.pair.publicKey,
    keyHandover: true,
  });
  const foreign = await createKiteKey({ ...options, signsHandovers: false });
  assertEquals(readKiteKeyClaims(foreign).keyHandover, undefined);
  for (const name of ["username", "kontrolUser", "kontrolUrl", "publicKeyPem"]) {
    const create = () => createKiteKey({ ...options, [name]: "" });
    await assertRejects(create, KiteError, `Cannot use ${name}: must not be empty in a kite.key`);
  }
  assertThrows(() => readKiteKeyClaims("garbage"), KiteError, "invalid number of segments");
});

Deno.test("writeKiteKeyFile: creates file and directory for the owner only, and replaces atomically", async () => {
  const root = await Deno.makeTempDir();
  try {
    const directory = `${root}/home`;
    assertEquals(await readKiteKeyFile(directory), undefined);
    const first = await kontrol.kiteKey("alice");
    await writeKiteKeyFile(`\n${first}\n`, directory);
    assertEquals(await readKiteKeyFile(directory), first);
    assertEquals((await Deno.stat(directory)).mode! & 0o777, 0o700);
    assertEquals((await Deno.stat(`${directory}/kite.key`)).mode! & 0o777, 0o400);
    const second = await kontrol.kiteKey("bob");
    await writeKiteKeyFile(second, directory);
    assertEquals(await readKiteKeyFile(directory), second);
    assertEquals([...Deno.readDirSync(directory)].map(({ name }) => name), ["kite.key"]);

    const bad = () => writeKiteKeyFile("not a key", directory);
    assert((await assertRejects(bad, KiteError)).message.endsWith("kite.key: not a kite.key"));
    assertEquals(await readKiteKeyFile(directory), second);
    await Deno.mkdir(`${root}/odd`);
    await Deno.writeTextFile(`${root}/odd/kite.key`, "s3cret nonsense");
    const error = await assertRejects(() => readKiteKeyFile(`${root}/odd`), KiteError);
    assert(error.type === "configError" && !error.message.includes("s3cret"));
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("kiteHome: returns KITE_HOME, or .kite in the home directory", () => {
  const before = Deno.env.get("KITE_HOME");
  try {
    Deno.env.set("KITE_HOME", "/somewhere");
    assertEquals(kiteHome(), "/somewhere");
    Deno.env.set("KITE_HOME", "");
    assert(kiteHome().endsWith("/.kite"));
  } finally {
    if (before === undefined) Deno.env.delete("KITE_HOME");
    else Deno.env.set("KITE_HOME", before);
  }
});
