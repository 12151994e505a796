import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { freePort } from "../support/ports.ts";
import { Machine, type Run } from "./support.ts";

/** Runs command lines, and checks the exit code and the error of each. */
async function check(
  machine: Machine,
  cases: readonly (readonly [line: string, code: number, error: RegExp])[],
  env: Record<string, string> = {},
): Promise<void> {
  const runs = await Promise.all(
    cases.map(([line]) => machine.run(line === "" ? [] : line.split(" "), { env })),
  );
  for (const [index, [line, code, error]] of cases.entries()) {
    const { code: actual, stdout, stderr } = runs[index] as Run;
    assertEquals(actual, code, `${line}: ${stdout}${stderr}`);
    assertMatch(stderr, error, line);
    assert(!stderr.includes("    at "), `${line}: a stack\n${stderr}`);
  }
}

Deno.test("kitectl: wrong words, options and values have exit code 2, and name what is right", async () => {
  await using machine = await Machine.make();
  await check(machine, [
    ["upp", 2, /^error: unknown command 'upp'\n\(Did you mean up\?\)/],
    ["user ad", 2, /Did you mean add\?/],
    ["up --prot 1", 2, /Did you mean --port\?/],
    ["up --port x", 2, /^error: Cannot use -port "x": must be an integer from 0 to 65535\n/],
    ["up --ip 999.1.1.1", 2, /^error: Cannot use -ip "999.1.1.1": must be an address/],
    ["up --register maybe", 2, /must be one of closed, token, open/],
    ["up extra", 2, /too many arguments/],
    ["help nonsense", 2, /^error: Cannot use command "nonsense": must be one of up, /],
    ["help user ad", 2, /^error: Cannot use command "ad": did you mean add\?/],
    ["register --to nonsense", 2, /^error: Cannot use --to "nonsense": must be a URL/],
    ["register --username a/b", 2, /^error: Cannot use --username "a\/b"/],
    ["tell --to nonsense x", 2, /^error: Cannot use --to "nonsense": must be a URL/],
    ["tell --to http://127.0.0.1:1/kite", 2, /no method is given/],
    ["user add", 2, /missing required argument 'name'/],
    ["user add bob -- -prot=1", 2, /^error: Cannot use flag "-prot": did you mean -port\?/],
    ["invite --for x", 2, /^error: Cannot use --for "x"/],
  ]);
  assertEquals((await machine.run(["help", "user", "add"])).code, 0);
  // No command has left a folder behind.
  assertEquals([...Deno.readDirSync(machine.folder)], []);
});

Deno.test("kitectl query: a field that no kite has is refused", async () => {
  await using machine = await Machine.make();
  await using up = await machine.start(["up", "--port", String(freePort())], /^Ctrl-C stops it/);
  await check(machine, [
    ["query --name a/b", 2, /^error: Cannot use query field name "a\/b"/],
    ["query --username nobody", 3, /^error: No kite matches username nobody\n$/],
  ]);
  const key = await machine.run(["user", "add", "bob", "--out", "bob/kite.key"]);
  assertEquals(key.code, 0, key.stderr);
  const env = { KITE_HOME: `${machine.folder}/bob` };
  await check(machine, [["query", 3, /^error: No kite matches username bob\nWith a field, /]], env);
  await up.stop();
});

Deno.test("kitectl: without a home directory, commands say what to set", async () => {
  await using machine = await Machine.make();
  const unknown = /the home directory is unknown\nSet KITE_HOME to a folder\n$/;
  const lines = ["up", "register --username bob", "showkey", "user add bob", "invite"]
    .concat(["key rotate", "query", "tell --name math square 4", "describe --name math", "list"])
    .concat(["run x", "install x.tar.gz", "uninstall x"]);
  await check(machine, lines.map((line) => [line, 1, unknown] as const), { HOME: "" });
  const doctor = await machine.run(["doctor"], { env: { HOME: "" } });
  assertEquals(doctor.code, 1);
  assertMatch(
    doctor.stdout,
    /key +the home directory is unknown\n +fix: set KITE_HOME to a folder/,
  );
});

Deno.test("kitectl: a home that cannot be written to is named, before an invite is used", async () => {
  await using machine = await Machine.make();
  await Deno.writeTextFile(machine.home, "");
  const named = new RegExp(`^error: Cannot (create|read|write) ${machine.home}/`);
  await check(machine, [
    [`up --port ${freePort()}`, 1, named],
    // Nothing listens there, which is not even tried.
    ["register --to http://127.0.0.1:1/kite --username bob --invite x", 1, named],
    ["install x.tar.gz", 1, named],
  ]);
});

Deno.test("kitectl up: an address that cannot be used leaves no Kontrol behind", async () => {
  await using machine = await Machine.make();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  await check(machine, [
    [`up --ip 127.0.0.1 --port ${port}`, 1, /it is in use; choose another port/],
    [`up --ip 192.0.2.1 --port ${port}`, 1, /^error: Cannot listen on port \d+ of 192\.0\.2\.1/],
    ["user add bob", 1, /^error: Cannot find Kontrol: \S+ has no kite\.key of its own/],
  ]);
  assertEquals([...Deno.readDirSync(machine.folder)], []);
});

Deno.test("kitectl register: --force replaces an invalid kite.key; a refusal says whom to ask", async () => {
  await using machine = await Machine.make();
  const port = String(freePort());
  await using up = await machine.start(["up", "--port", port], /^Ctrl-C stops it/);
  const to = `--to http://127.0.0.1:${port}/kite --username bob`;
  await using bob = await Machine.make();
  await bob.writeKey("nonsense");
  await check(bob, [
    [`register ${to}`, 1, /: not a kite\.key\nUse --force to replace it/],
    [`register ${to} --force`, 4, /\nAsk the owner of this Kontrol for an invite/],
  ]);
  assertEquals(await Deno.readTextFile(`${bob.home}/kite.key`), "nonsense");
  await up.stop();

  await using open = await machine.start(
    ["up", "--port", port, "--register", "open"],
    /^Ctrl-C stops it/,
  );
  const forced = await bob.run(["register", ...to.split(" "), "--force"]);
  assertEquals(forced.code, 0, forced.stderr);
  assertStringIncludes((await bob.run(["showkey"])).stdout, "bob");
  await open.stop();
});
