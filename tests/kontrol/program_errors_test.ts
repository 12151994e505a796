import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Kite } from "../../mod.ts";
import { VERSION } from "../../src/protocol/package_version.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import { SETTINGS } from "../../kontrol/program/settings.ts";
import { eventually } from "../support/eventually.ts";
import { runKontrol, startProgram } from "./program.ts";
import { TemporaryFolder } from "./support.ts";

const LOCAL = ["-ip=127.0.0.1", "-port=0", "-storage=memory"];

Deno.test("program: -help lists all flags and variables, -version prints the version", async () => {
  await using folder = new TemporaryFolder();
  const options = { folder: folder.path };
  for (const flag of ["-help", "--help", "-h"]) {
    const { code, stdout } = await runKontrol(options, flag);
    assertEquals(code, 0);
    for (const { flag, variable } of SETTINGS) {
      assertStringIncludes(stdout, `-${flag}`);
      assertStringIncludes(stdout, variable);
    }
  }
  const versions = [
    await runKontrol({ ...options, env: { KITE_VERSION: "1" } }),
    await runKontrol(options, "--version"),
    await runKontrol(options, "-version", "-port=0"),
  ];
  for (const { code, stdout, stderr } of versions) {
    assertEquals([code, stdout, stderr], [0, `${VERSION}\n`, ""]);
  }
  assertEquals([...Deno.readDirSync(folder.path)], [], "neither creates files");
});

Deno.test("program: a misspelt variable is ignored with a warning", async () => {
  await using folder = new TemporaryFolder();
  const env = { KONTROL_HOME: `${folder.path}/state`, KONTROL_PROT: "1", KONTROL_MY_OWN: "1" };
  const options = { folder: folder.path, env };
  const { code, stderr } = await runKontrol(options, "-initial", "-storage=memory");
  assertEquals(code, 0);
  const warning =
    "kontrol: warning: Ignoring the variable KONTROL_PROT: did you mean KONTROL_PORT?";
  assertEquals(stderr, `${warning}\n`);
});

Deno.test("program: an invalid setting is named in one line, with exit code 1", async () => {
  await using folder = new TemporaryFolder();
  const cases: readonly [readonly string[], string][] = [
    [["-prot=4000"], 'Cannot use flag "-prot": did you mean -port?'],
    [["--gibberish"], 'Cannot use flag "-gibberish": must be one of -port, -ip,'],
    [["port"], 'Cannot use argument "port": must be a flag such as -port=4000'],
    [["-port"], "Cannot use -port: must have a value: -port=4000"],
    [["-port=http"], "-port"],
    [["-port=70000"], "-port"],
    [["-ip=not an address"], "-ip"],
    [["-storage=mysql"], "-storage"],
    [
      ["-storage=postgres"],
      "Cannot use -storage=postgres: must be given together with -postgres-username and -postgres-dbname",
    ],
    [["-etcd-certfile=x.pem"], "-etcd-certfile: must be given together with -etcd-keyfile"],
    [["-etcd-password=x"], "-etcd-password: must be given together with -etcd-username"],
    [
      ["-storage=etcd", "-etcd-cafile=x.pem"],
      'Cannot use -etcd-cafile "x.pem": must be an existing file',
    ],
    [["-postgres-tls=yes"], "-postgres-tls"],
    [["-policy=lax"], "-policy"],
    [["-kontrolurl=kontrol"], "-kontrolurl"],
    [["-username=a/b"], "-username"],
    [["-initial=maybe"], "-initial"],
    [["-publickeyfile=x.pem"], "-publickeyfile: must be given together with -privatekeyfile"],
    [["-tlskeyfile=x.pem"], "-tlskeyfile: must be given together with -tlscertfile"],
    [["-publickeyfile=x.pem", "-privatekeyfile=x.pem"], "-privatekeyfile: x.pem does not exist"],
    [["-tlskeyfile=x.pem", "-tlscertfile=x.pem"], "x.pem"],
    [["-sqlitefile=/nowhere/kontrol.db"], "/nowhere/kontrol.db"],
  ];
  const runs = cases.map(async ([words, reason], i) => {
    const home = `${folder.path}/${i}`;
    await Deno.mkdir(home);
    const env = { KONTROL_HOME: `${home}/state` };
    // Run two at a time, to limit the load.
    await Promise.all(previous.slice(0, Math.max(0, i - 1)));
    const { code, stdout, stderr } = await runKontrol({ folder: home, env }, ...words);
    const text = `${stdout}${stderr}`;
    assertEquals([code, text.trim().split("\n").length], [1, 1], `${words}: ${text}`);
    assertStringIncludes(text, reason);
    assert(text.startsWith("kontrol: "), text);
  });
  const previous: Promise<void>[] = runs;
  await Promise.all(runs);
});

Deno.test("program: a port in use or a damaged file is reported in one line, with exit code 1", async () => {
  await using folder = new TemporaryFolder();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const state = `${folder.path}/state`;
  const env = { KONTROL_HOME: state };
  const run = async (...words: string[]): Promise<string> => {
    const result = await runKontrol({ folder: folder.path, env }, ...words);
    assertEquals(result.code, 1);
    const lines = `${result.stdout}${result.stderr}`.trim().split("\n");
    assertEquals(lines.length, 1, lines.join("\n"));
    return lines[0] ?? "";
  };
  assertStringIncludes(await run("-ip=127.0.0.1", `-port=${port}`), `port ${port}`);
  assertEquals(
    [...Deno.readDirSync(folder.path)].map(({ name }) => name),
    ["state"],
    "no kite.key is written by a Kontrol that did not start",
  );

  await Deno.writeTextFile(`${state}/kite.key`, "garbage");
  assertStringIncludes(await run(...LOCAL), `${state}/kite.key`);
  await Deno.remove(`${state}/kite.key`);
  await Deno.writeTextFile(`${state}/key.pem`, "garbage");
  assertStringIncludes(await run(...LOCAL), `${state}/key.pem`);
  const [one, other] = [await createTestKeys(), await createTestKeys()];
  await Deno.writeTextFile(`${state}/key.pem`, one.pair.privateKey);
  await Deno.writeTextFile(`${state}/key_pub.pem`, other.pair.publicKey);
  assertStringIncludes(await run(...LOCAL), "the public key does not belong to the private key");
  await Deno.remove(`${state}/key.pem`);
  await Deno.writeTextFile(`${state}/kontrol.db`, "garbage ".repeat(2_000));
  assertStringIncludes(await run("-port=0"), `${state}/kontrol.db`);
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.test(`program: ${signal} during calls ends it gracefully, with exit code 0`, async () => {
    await using folder = new TemporaryFolder();
    await using program = await startProgram({ folder: folder.path }, ...LOCAL);
    await using kite = new Kite("math", "1.0.0", {
      kiteHome: `${folder.path}/kite`,
      kontrolUrl: program.url,
      logLevel: "FATAL",
    });
    const names = Array.from({ length: 40 }, (_, i) => `kite${i}`);
    const keep = { kiteHome: `${folder.path}/kite`, kontrolUrl: program.url } as const;
    for (const name of names) {
      const other = new Kite(name, "1.0.0", { ...keep, logLevel: "FATAL" });
      await other.registerHttp("http://127.0.0.1:1/kite");
      await other.close();
    }
    const calls = names.map((name) => kite.getToken({ name }, { force: true }));
    await Promise.race(calls);
    const code = program.stop(signal);
    for (const call of calls) {
      // Either answered, or the connection closed before Kontrol read the call.
      const type = await call.then(({ length }) => length > 100 && "token", ({ type }) => type);
      assert(type === "token" || type === "disconnect", String(type));
    }
    assertEquals(await code, 0);
  });
}

Deno.test("program: a crash loses no confirmed registration", async () => {
  await using folder = new TemporaryFolder();
  const words = ["-ip=127.0.0.1", "-port=0"];
  const options = { kiteHome: `${folder.path}/kite`, logLevel: "FATAL" } as const;
  {
    await using program = await startProgram({ folder: folder.path }, ...words);
    await using kite = new Kite("math", "1.0.0", { ...options, kontrolUrl: program.url });
    await kite.registerHttp("http://127.0.0.1:1/kite");
    await program.kill();
  }
  await using program = await startProgram({ folder: folder.path }, ...words);
  await using caller = new Kite("caller", "1.0.0", { ...options, kontrolUrl: program.url });
  assertEquals((await caller.getKites({ name: "math" })).length, 1);
});

Deno.test("program: uses given key files, and the username of the user's kite.key", async () => {
  await using folder = new TemporaryFolder();
  const keys = await createTestKeys({
    kontrolUser: "devrim",
    kontrolUrl: "http://127.0.0.1:4999/kite",
  });
  await Deno.mkdir(`${folder.path}/kite`);
  await Deno.writeTextFile(`${folder.path}/key.pem`, keys.pair.privateKey);
  await Deno.writeTextFile(`${folder.path}/key_pub.pem`, keys.pair.publicKey);
  await Deno.writeTextFile(`${folder.path}/kite/kite.key`, await keys.kiteKey("devrim"));
  await using program = await startProgram(
    { folder: folder.path },
    ...LOCAL,
    "-publickeyfile=key_pub.pem",
    "-privatekeyfile=key.pem",
  );
  const text = program.lines.join("\n");
  assertStringIncludes(text, 'its user is "devrim"');
  assertStringIncludes(text, "key pair   read from");
  assertStringIncludes(text, "already belongs to this Kontrol");
  await using kite = new Kite("math", "1.0.0", {
    kiteHome: `${folder.path}/kite`,
    kontrolUrl: program.url,
    logLevel: "FATAL",
  });
  await kite.register("http://127.0.0.1:1/kite");
  await eventually(async () => (await kite.getKites({ username: "devrim" })).length === 2);
});
