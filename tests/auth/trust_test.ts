import { assertEquals, assertRejects } from "@std/assert";
import { TokenVerifier } from "../../src/auth/token.ts";
import { Trust } from "../../src/auth/trust.ts";
import { KiteError } from "../../src/protocol/errors.ts";
import { createTestKeys } from "../../src/testing/mod.ts";

Deno.test("trust: a token of a key not known yet is looked into once, then good or refused", async () => {
  const old = await createTestKeys({ algorithm: "EdDSA" });
  const next = await createTestKeys({ algorithm: "EdDSA" });
  const stranger = await createTestKeys({ algorithm: "EdDSA" });
  const trust = new Trust({ kontrolKey: old.pair.publicKey, kontrolUser: "testuser" });
  const verifier = new TokenVerifier({
    trustedKeys: trust.trustedKeys,
    kontrolUser: () => trust.kontrolUser,
    identity: () => ({ username: "bob", environment: "prod", name: "math" }),
    refresh: () => trust.refresh(),
  });
  let questions = 0;
  trust.source = async () => {
    questions++;
    await Promise.resolve();
    trust.adopt({ kontrolKey: next.pair.publicKey });
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
  assertEquals(questions, 1, "made-up tokens cause no more questions");
});

Deno.test("trust: who cannot be asked leaves things as they are", async () => {
  const old = await createTestKeys({ algorithm: "EdDSA" });
  const trust = new Trust({ kontrolKey: old.pair.publicKey });
  await trust.refresh();
  trust.source = () => Promise.reject(new KiteError("timeout", "no answer"));
  await trust.refresh();
  assertEquals(trust.trustedKeys(), [old.pair.publicKey.trim()]);
});

Deno.test("trust: listeners hear the kite.key that was replaced", () => {
  const trust = new Trust({ kiteKey: "a", kontrolKey: "k" });
  const heard: unknown[] = [];
  const remove = trust.onChange((former) => heard.push(former));
  assertEquals(trust.adopt({ kiteKey: "a", kontrolKey: "k" }), false);
  assertEquals(trust.adopt({ kiteKey: "b" }), true);
  assertEquals(trust.adopt({ kontrolKey: "l" }), true);
  remove();
  trust.adopt({ kiteKey: "c" });
  assertEquals(heard, ["a", "b"]);
});
