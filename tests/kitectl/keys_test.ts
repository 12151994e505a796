import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { startTestKontrol } from "../../src/testing/kontrol.ts";
import { freePort } from "../support/ports.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "./support.ts";

Deno.test("kitectl showkey: shows the claims in the order of Go's kitectl, and never the key", async () => {
  await using kontrol = await startTestKontrol();
  await using machine = await Machine.make();
  const none = await machine.run(["showkey"]);
  assertEquals(none.code, 1);
  assertMatch(none.stderr, /there is no kite\.key in \S+\.kite\n`kitectl register` gets one/);
  const kiteKey = await kontrol.kiteKey("ada");
  await machine.writeKey(kiteKey);
  const { stdout } = await machine.run(["showkey"]);
  const names = stdout.split("\n").map((line) => /^(\w+) {2,}/.exec(line)?.[1]).filter(Boolean);
  assertEquals(names, ["sub", "iss", "kontrolURL", "iat", "jti", "kontrolKey"]);
  assertMatch(stdout, /^sub {12}ada\niss {12}testuser\n/);
  const json = await machine.run(["showkey", "--json"]);
  assertEquals(JSON.parse(json.stdout), readKiteKeyClaims(kiteKey));
  for (const part of kiteKey.split(".").slice(1)) {
    assert(!stdout.includes(part) && !json.stdout.includes(part));
  }
  await Deno.remove(`${machine.home}/kite.key`);
  await Deno.writeTextFile(`${machine.home}/kite.key`, "no key");
  const bad = await machine.run(["showkey"]);
  assertEquals(bad.code, 1);
  assertMatch(bad.stderr, /^error: .*kite\.key/);
});

Deno.test("kitectl user add: prints or writes a key, beside a Kontrol or without it", async () => {
  await using machine = await Machine.make();
  const early = await machine.run(["user", "add", "bob"]);
  assertEquals([early.code, early.stdout], [1, ""]);
  assertMatch(early.stderr, /Cannot find Kontrol: \S+ has no kite\.key of its own/);
  const port = String(freePort());
  {
    await using up = await machine.start(["up", "--port", port, "--no-sample"], /^Ctrl-C/);
    await up.stop();
  }
  const printed = await machine.run(["user", "add", "bob"]);
  const claims = readKiteKeyClaims(printed.stdout);
  assertEquals([claims.sub, claims.iss], ["bob", "kontrol"]);
  assertEquals(claims.kontrolURL, `http://localhost:${port}/kite`);
  assertMatch(printed.stderr, /is right on this machine only/);
  const url = "https://kontrol.example.com/kite";
  const words = ["user", "add", "carol", "--kontrol-url", url, "--out", "keys/carol.key"];
  const written = await machine.run(words);
  assertEquals(written.code, 0);
  assertMatch(written.stderr, /^note: its owner keeps it as kite\.key in [^\n]+\n$/);
  const file = `${machine.folder}/keys/carol.key`;
  assertEquals(readKiteKeyClaims(await Deno.readTextFile(file)).kontrolURL, url);
  assertEquals((await Deno.stat(file)).mode! & 0o777, 0o400);
  const again = await machine.run(words);
  assertEquals(again.code, 1);
  assertMatch(again.stderr, /there is a file already/);
  const slash = await machine.run(["user", "add", "a/b"]);
  assertEquals(slash.code, 2, slash.stderr);
});

Deno.test("kitectl key rotate: a running Kontrol changes its key, and keeps accepting all kites", async () => {
  await using machine = await Machine.make();
  const env = { KONTROL_PORT: String(freePort()) };
  await using up = await machine.start(["up"], /^Ctrl-C/, env);
  await machine.run(["user", "add", "bob", "--out", "bob/kite.key"], { env });
  await using bob = await Machine.make();
  await bob.writeKey(await Deno.readTextFile(`${machine.folder}/bob/kite.key`));
  const before = await Deno.readTextFile(`${machine.home}/kontrol/key.pem`);
  const keyBefore = readKiteKeyClaims(await Deno.readTextFile(`${machine.home}/kite.key`));
  const rotated = await machine.run(["key", "rotate"], { env });
  assertEquals(rotated.code, 0, rotated.stderr);
  assertMatch(rotated.stdout, /; 1 retired\nkite\.key {2}renewed in /);
  assertNotEquals(await Deno.readTextFile(`${machine.home}/kontrol/key.pem`), before);
  const keyAfter = readKiteKeyClaims(await Deno.readTextFile(`${machine.home}/kite.key`));
  assertNotEquals(keyAfter.kontrolKey, keyBefore.kontrolKey);
  for (const who of [machine, bob]) {
    await eventually(async () => {
      const run = await who.run(["tell", "--name", "math", "square", "3"], { env });
      return run.stdout === "9\n";
    }, { withinMs: 30_000, what: "an answer after the rotation" });
  }
  await up.stop();
});

Deno.test("kitectl invite and key: a Kontrol that they cannot serve is refused", async () => {
  await using machine = await Machine.make();
  {
    const flags = ["up", "--port", String(freePort()), "--no-sample"];
    await using up = await machine.start(flags, /^Ctrl-C/, { KONTROL_STORAGE: "memory" });
    for (const words of [["invite"], ["key", "rotate"]]) {
      const { code, stderr } = await machine.run([...words, "--", "-storage=memory"]);
      assertEquals(code, 1);
      assertMatch(stderr, /a Kontrol on storage memory keeps no .*\nStart Kontrol with another/);
    }
    // The key pair is in the files: keys can be made.
    const user = await machine.run(["user", "add", "bob", "--", "-storage=memory"]);
    assertEquals(readKiteKeyClaims(user.stdout).sub, "bob", user.stderr);
    await up.stop();
  }
  const long = await machine.run(["invite", "--for", "200h"]);
  assertMatch(long.stderr, /Cannot use lifetime .*from 1 second to 7 days/);
  const flag = await machine.run(["invite", "--", "-storages=etcd"]);
  assertMatch(flag.stderr, /Cannot use flag "-storages": did you mean -storage\?/);
});

Deno.test("kitectl register: open and closed Kontrols, and questions from the owner", async () => {
  await using open = await startTestKontrol({ register: "open" });
  await using machine = await Machine.make();
  const typed = await machine.run(["register", "--to", open.url], { input: "ada\n" });
  assertEquals(typed.code, 0, typed.stderr);
  assertMatch(typed.stdout, /^Username: Registered as ada; the key is in \S+kite\.key\n$/);
  const silent = await machine.run(["register", "--to", open.url, "--force"]);
  assertEquals(silent.code, 2);
  assertMatch(silent.stderr, /Cannot ask: .*\nUse --username/);
  const own = await machine.run([
    "register",
    "--to",
    open.url,
    "--force",
    "--username",
    "testuser",
  ]);
  assertEquals(own.code, 4);

  await using closed = await startTestKontrol();
  const refused = await machine.run(["register", "--to", closed.url, "--force", "--username", "a"]);
  assertEquals(refused.code, 4);
  assertMatch(refused.stderr, /no valid authentication key found/);
  assertMatch((await machine.run(["showkey"])).stdout, /^sub +ada$/m, "the key is still there");

  await using asking = await startTestKontrol({
    machineAuthenticate: async ({ request }) => {
      const answer = await request.client.tell("kite.prompt", "What is 6 times 7? ");
      if (answer !== "42") throw new Error("wrong answer");
    },
  });
  const words = ["register", "--to", asking.url, "--force", "--username", "bob"];
  const wrong = await machine.run(words, { input: "41\n" });
  assertEquals(wrong.code, 4, wrong.stderr);
  const right = await machine.run(words, { input: "42\n" });
  assertEquals(right.code, 0, right.stderr);
  assertMatch(right.stdout, /^What is 6 times 7\? Registered as bob/);
});
