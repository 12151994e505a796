import { assertEquals, assertRejects } from "@std/assert";
import { signKeyHandover } from "../../src/auth/handover.ts";
import { signToken } from "../../src/auth/jwt.ts";
import { TokenVerifier } from "../../src/auth/token.ts";
import { Trust, type TrustUpdate } from "../../src/auth/trust.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys, type TestKeys } from "../../src/testing/mod.ts";

const kontrolUser = "testuser";
const create = (signsHandovers = true) => createTestKeys({ algorithm: "EdDSA", signsHandovers });
const [old, next, stranger, foreign] = await Promise.all([
  create(),
  create(),
  create(),
  create(false),
]);

/** What a Kontrol answers that replaces the key of `former` with that of `following`. */
async function rotation(former: TestKeys, following: TestKeys): Promise<TrustUpdate> {
  const nextKey = following.pair.publicKey;
  return {
    kiteKey: await following.kiteKey("alice"),
    kontrolKey: nextKey,
    keyHandover: await signKeyHandover({ kontrolUser, formerKey: former.privateKey, nextKey }),
  };
}

async function trustOf(keys: TestKeys, requireKeyHandover?: boolean): Promise<Trust> {
  const kiteKey = await keys.kiteKey("alice");
  return new Trust({ kiteKey, kontrolKey: keys.pair.publicKey, kontrolUser, requireKeyHandover });
}

Deno.test("Trust.refresh: concurrent calls share one request, at most one per second", async () => {
  const trust = new Trust({ kontrolKey: old.pair.publicKey, kontrolUser });
  const verifier = new TokenVerifier({
    trustedKeys: trust.trustedKeys,
    kontrolUser: () => trust.kontrolUser,
    identity: () => ({ username: "bob", environment: "prod", name: "math" }),
    refresh: () => trust.refresh(),
  });
  let questions = 0;
  const { kontrolKey, keyHandover } = await rotation(old, next);
  trust.source = async () => {
    questions++;
    await trust.adopt({ kontrolKey, keyHandover });
  };
  const tokens = await Promise.all([1, 2, 3].map(() => next.token()));
  const verified = await Promise.all(tokens.map((token) => verifier.verify(token)));
  assertEquals(verified.map(({ username }) => username), ["testuser", "testuser", "testuser"]);
  await verifier.verify(await old.token());
  assertEquals(questions, 1);
  for (let i = 0; i < 50; i++) {
    const token = await stranger.token();
    await assertRejects(() => verifier.verify(token), KiteError, "token is expired");
  }
  assertEquals(questions, 1, "made-up tokens cause no more requests");
});

Deno.test("Trust.refresh: changes nothing if Kontrol cannot be reached", async () => {
  const trust = new Trust({ kontrolKey: old.pair.publicKey });
  await trust.refresh();
  trust.source = () => Promise.reject(new KiteError("timeout", "no answer"));
  await trust.refresh();
  assertEquals(trust.trustedKeys(), [old.pair.publicKey.trim()]);
});

Deno.test("Trust.adopt: adopts keys with a handover of the current key, and notifies listeners", async () => {
  const trust = await trustOf(old);
  const before = trust.kiteKey;
  const heard: unknown[] = [];
  const remove = trust.onChange((former) => heard.push(former));
  const update = await rotation(old, next);
  assertEquals(
    await trust.adopt({ kontrolKey: old.pair.publicKey.replaceAll("\n", "\r\n") }),
    false,
  );
  assertEquals(await trust.adopt(update), true);
  assertEquals(await trust.adopt(update), false);
  assertEquals([trust.kiteKey, trust.kontrolKey], [update.kiteKey, next.pair.publicKey]);
  assertEquals(trust.trustedKeys(), [next.pair.publicKey, old.pair.publicKey]);
  assertEquals(heard, [before]);
  remove();
  await trust.adopt(await rotation(next, stranger));
  assertEquals(heard, [before]);
});

Deno.test("Trust.adopt: handles concurrent updates one after the other", async () => {
  const trust = await trustOf(old);
  const update = await rotation(old, next);
  const outcomes = await Promise.all([1, 2, 3].map(() => trust.adopt(update)));
  assertEquals(outcomes.filter(Boolean).length, 1);
  // An answer that was right for the former key does not bring that key's choice back.
  const [one, other] = await Promise.allSettled([
    trust.adopt(await rotation(next, stranger)),
    trust.adopt(await rotation(old, foreign)),
  ]);
  assertEquals([one.status, other.status], ["fulfilled", "rejected"]);
  assertEquals(trust.kontrolKey, stranger.pair.publicKey);
});

const good = await rotation(old, next);
const claimsOf = (claims: object) => signToken({ iss: kontrolUser, ...claims }, old.privateKey);
const now = Math.floor(Date.now() / 1000);
const nextKey = next.pair.publicKey;

const REFUSED: readonly (readonly [what: string, update: TrustUpdate, why: RegExp])[] = [
  ["no handover", { ...good, keyHandover: undefined }, /without a handover/],
  ["no handover, and the key alone", { kontrolKey: nextKey }, /without a handover/],
  ["a handover by the new key", await rotation(next, next), /is not signed by the current key/],
  ["a handover by a stranger", await rotation(stranger, next), /is not signed by the current key/],
  [
    "a handover of another key",
    { ...good, keyHandover: (await rotation(old, stranger)).keyHandover },
    /names another key/,
  ],
  [
    "a handover of another issuer",
    {
      ...good,
      keyHandover: await signKeyHandover({
        kontrolUser: "mallory",
        formerKey: old.privateKey,
        nextKey,
      }),
    },
    /another issuer/,
  ],
  [
    "an expired handover",
    { ...good, keyHandover: await claimsOf({ nextKey, exp: now - 3_600 }) },
    /expired/,
  ],
  [
    "a handover without an end",
    { ...good, keyHandover: await claimsOf({ nextKey }) },
    /not a handover/,
  ],
  ["a token", { ...good, keyHandover: await old.token({ claims: { nextKey } }) }, /not a handover/],
  ["a kite.key", { ...good, keyHandover: await old.kiteKey("alice") }, /not a handover/],
  ["an unsigned handover", { ...good, keyHandover: "e30.e30." }, /invalid signing method/],
  ["no JWT", { ...good, keyHandover: "x" }, /invalid number of segments/],
  ["a kite.key of another user", { ...good, kiteKey: await next.kiteKey("root") }, /another user/],
  [
    "a kite.key of another key",
    { ...good, kiteKey: await stranger.kiteKey("alice") },
    /another key/,
  ],
  [
    "a kite.key that the key did not sign",
    { ...good, kiteKey: good.kiteKey!.replace(/\.[^.]*$/, ".AAAA") },
    /did not sign the new kite.key/,
  ],
  [
    "a kite.key of another user, by the present key",
    { kiteKey: await old.kiteKey("root") },
    /another user/,
  ],
];

for (const [what, update, why] of REFUSED) {
  Deno.test(`Trust.adopt: refuses ${what}, and adopts nothing`, async () => {
    const trust = await trustOf(old);
    const { kiteKey } = trust;
    const error = await assertRejects(() => trust.adopt(update), KiteError);
    assertEquals(
      [error.type, why.test(error.message)],
      ["authenticationError", true],
      error.message,
    );
    assertEquals([trust.kiteKey, trust.trustedKeys()], [kiteKey, [old.pair.publicKey]]);
  });
}

Deno.test("Trust.adopt: needs no handover from a Kontrol without them, unless requireKeyHandover is set", async () => {
  const { kiteKey, kontrolKey } = await rotation(foreign, next);
  const lenient = await trustOf(foreign);
  assertEquals(await lenient.adopt({ kiteKey, kontrolKey }), true);
  // Its kite.key is of a Kontrol that signs handovers now, which counts from here on.
  const further = { kontrolKey: stranger.pair.publicKey };
  await assertRejects(() => lenient.adopt(further), KiteError, "without a handover");
  const strict = await trustOf(foreign, true);
  await assertRejects(() => strict.adopt({ kiteKey, kontrolKey }), KiteError, "without a handover");
  const open = await trustOf(old, false);
  assertEquals(await open.adopt({ kiteKey, kontrolKey }), true);
  await assertRejects(() => open.adopt({ kontrolKey: "no key" }), KiteError, "it is not a key");
});

Deno.test("Trust.adopt: without a trusted key, adopts none", async () => {
  const trust = new Trust({ kontrolUser });
  await assertRejects(() => trust.adopt(good), KiteError, "there is no trusted key");
  assertEquals(trust.trustedKeys(), []);
});
