import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/ports.ts";
import { eventually } from "../support/eventually.ts";
import { Machine } from "./support.ts";

Deno.test("kitectl: from a clone to a kite that a second user calls, with kitectl alone", async () => {
  await using ada = await Machine.make();
  const env = { KONTROL_PORT: String(freePort()) };

  // The first user starts a Kontrol and a kite, and does what the output says.
  await using up = await ada.start(["up"], /^Ctrl-C stops it/, env);
  const lines: string[] = [];
  up.onLine((line, source) => source === "stdout" && lines.push(line));
  const text = lines.join("\n");
  assertMatch(text, /^Kontrol listens at \S+, its user is "kontrol"$/m);
  assertMatch(text, /^storage {4}sqlite, \S+kontrol\.db$/m);
  assertMatch(text, /^kite\.key {3}written to \S+\/\.kite\/kite\.key$/m);
  assertMatch(text, /^kite {7}math 1\.0\.0 at \S+, registered$/m);
  const next = lines.filter((line) => line.startsWith("  kitectl "))
    .map((line) => line.trim().split(" ").slice(1));
  assertEquals(next.length, 3);
  const outputs: string[] = [];
  for (const words of next) {
    const { code, stdout, stderr } = await ada.run(words, { env });
    assertEquals(code, 0, stderr);
    outputs.push(stdout);
  }
  assertMatch(outputs[0]!, /kontrol +unknown +math +1\.0\.0 /);
  assertEquals(outputs[1], "16\n");
  const key = await Deno.stat(`${ada.folder}/bob/kite.key`);
  assertEquals(key.mode! & 0o777, 0o400);

  // The second user gets the file, and calls the kite with a key of their own.
  await using bob = await Machine.make();
  await bob.writeKey(await Deno.readTextFile(`${ada.folder}/bob/kite.key`));
  const whose = await bob.run(["showkey"]);
  assertMatch(whose.stdout, /^sub +bob$/m);
  assertEquals((await bob.run(["tell", "--name", "math", "square", "5"])).stdout, "25\n");

  // Ctrl-C takes both down.
  Deno.kill(up.pid, "SIGINT");
  assertEquals(await up.exitCode(), 0);
  const gone = await bob.run(["tell", "--name", "math", "square", "5"]);
  assertEquals([gone.code, gone.stdout], [5, ""]);
  assertStringIncludes(gone.stderr, "error: ");
});

Deno.test("kitectl up: says who has the port, and starts again with the same keys", async () => {
  await using machine = await Machine.make();
  const port = String(freePort());
  const key = async () => await Deno.readTextFile(`${machine.home}/kontrol/key.pem`);
  let first: string;
  {
    await using up = await machine.start(["up", "--port", port], /^Ctrl-C stops it/);
    first = await key();
    const second = await machine.run(["up", "--port", port]);
    assertEquals(second.code, 1);
    assertStringIncludes(second.stderr, port);
    await up.stop();
  }
  await using up = await machine.start(["up", "--port", port, "--no-sample"], /^Ctrl-C stops it/);
  assertEquals(await key(), first);
  const found = await machine.run(["query", "--name", "kontrol", "--json"]);
  assertStringIncludes(found.stdout, `:${port}/kite`);
  assertEquals((await machine.run(["query", "--name", "math"])).code, 3);
  await up.stop();
});

Deno.test("kitectl register: an invite gives a second user a kite.key, once", async () => {
  await using ada = await Machine.make();
  const env = { KONTROL_PORT: String(freePort()) };
  await using up = await ada.start(["up", "--register", "token"], /^Ctrl-C stops it/, env);
  const url = `http://127.0.0.1:${env.KONTROL_PORT}/kite`;
  const invite = await ada.run(["invite", "--username", "bob"], { env });
  assertEquals(invite.code, 0, invite.stderr);
  const code = invite.stdout.trim();

  await using bob = await Machine.make();
  const register = (machine: Machine, username: string, ...more: string[]) =>
    machine.run(["register", "--to", url, "--username", username, ...more]);
  await using eve = await Machine.make();
  for (const words of [[], ["--invite", code], ["--invite", "00000-00000-00000-00000"]]) {
    const { code, stderr } = await register(eve, "eve", ...words);
    assertEquals(code, 4, stderr);
    assertMatch(stderr, /^error: Cannot register with/);
  }
  const registered = await register(bob, "bob", "--invite", code);
  assertEquals(registered.code, 0, registered.stderr);
  assertEquals((await Deno.stat(`${bob.home}/kite.key`)).mode! & 0o777, 0o400);
  const { stdout } = await eventually(async () => {
    const run = await bob.run(["tell", "--name", "math", "square", "3"]);
    return run.code === 0 && run;
  });
  assertEquals(stdout, "9\n");

  // The key that is there is not replaced by mistake.
  const again = await register(bob, "bob", "--invite", code);
  assertEquals(again.code, 1);
  assertMatch(again.stderr, /^error: Cannot register: \S+ is there, of bob at /);
  assert((await register(bob, "bob", "--invite", code, "--force")).code === 4, "it works once");
  await up.stop();
});
