import { assert, assertEquals, assertRejects } from "@std/assert";
import { Kite, KiteError } from "../../mod.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { createTestKeys, startTestKontrol } from "../../src/testing/mod.ts";

Deno.test("testing: a Kontrol with everything, gone with its scope", async () => {
  let url = "";
  let math: Kite;
  {
    await using kontrol = await startTestKontrol();
    url = kontrol.url;
    assert(/^http:\/\/127\.0\.0\.1:\d+\/kite$/.test(url));
    const claims = readKiteKeyClaims(await kontrol.kiteKey("alice"));
    assertEquals([claims.sub, claims.iss, claims.kontrolURL], ["alice", "testuser", url]);

    math = await kontrol.newKite("math", "2.0.0", { username: "alice", region: "mars" });
    assertEquals(math.identity.username, "alice");
    assertEquals([math.identity.version, math.identity.region], ["2.0.0", "mars"]);
    math.handle("whoami", ({ username }) => username);
    await math.register((await math.listen()).url);
    const exp2 = await kontrol.newKite("exp2");
    const [remote] = await exp2.getKites({ username: "alice" });
    await remote!.dial();
    assertEquals(await remote!.tell("whoami"), "testuser");
  }
  const late = new Kite("late", "1.0.0", { kiteKey: "", kontrolUrl: url, logLevel: "FATAL" });
  await assertRejects(() => late.kontrolReady({ timeout: 100 }), KiteError);
  await late.close();
  assertEquals(math.connections.size, 0);
});

Deno.test("testing: the Kontrol takes a Kontrol's options, a user and keys of one's own", async () => {
  const keys = await createTestKeys({ algorithm: "ES256" });
  await using kontrol = await startTestKontrol({
    username: "queen",
    pair: keys.pair,
    policy: "strict",
    maxResults: 1,
  });
  assertEquals((await kontrol.kontrol.keys.own()).public, keys.pair.publicKey.trim());
  const claims = readKiteKeyClaims(await kontrol.kiteKey());
  assertEquals([claims.iss, claims.sub], ["queen", "testuser"]);
  const stranger = await kontrol.newKite("stranger");
  await assertRejects(() => stranger.getKites({ name: "kontrol" }), KiteError, "availabile");
});

Deno.test("testing: a start that fails leaves nothing running", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const error = await assertRejects(() => startTestKontrol({ kite: { port } }), KiteError);
  assertEquals(error.type, "configError");
});
