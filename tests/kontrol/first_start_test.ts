/** Tests of the first start of Kontrol's program, and of the files that it finds. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { Kite } from "../../mod.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { generateKeyPair, publicKeyOf } from "../../src/auth/keys.ts";
import { SqliteStorage } from "../../kontrol/storage/sqlite.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import { runKontrol, startProgram } from "./program.ts";
import { TemporaryFolder } from "./support.ts";

const LOCAL = ["-ip=127.0.0.1", "-port=0", "-storage=memory"];

async function read(path: string): Promise<string> {
  return (await Deno.readTextFile(path)).trim();
}

function claimsOf(text: string): ReturnType<typeof readKiteKeyClaims> {
  return readKiteKeyClaims(text);
}

for (const storage of ["sqlite", "memory"]) {
  Deno.test(`first start: concurrent starts with one home get the same key pair (${storage})`, async () => {
    await using folder = new TemporaryFolder();
    const home = `${folder.path}/state`;
    const start = () =>
      runKontrol({ folder: folder.path }, "-initial", `-home=${home}`, `-storage=${storage}`);
    const runs = await Promise.all([start(), start(), start(), start()]);
    for (const { code, stderr } of runs) assertEquals([code, stderr], [0, ""]);
    const publicKey = await read(`${home}/key_pub.pem`);
    assertEquals(await publicKeyOf(await read(`${home}/key.pem`)), publicKey);
    for (const path of [`${home}/kite.key`, `${folder.path}/kite/kite.key`]) {
      assertEquals(claimsOf(await read(path)).kontrolKey, publicKey);
    }
    const again = await start();
    assertEquals([again.code, again.stderr], [0, ""]);
    assertStringIncludes(again.stdout, "already belongs to this Kontrol");
    assertEquals(await read(`${home}/key_pub.pem`), publicKey);
    const left = [...Deno.readDirSync(home)].map(({ name }) => name).filter((name) =>
      name.endsWith(".tmp")
    );
    assertEquals(left, []);
  });
}

Deno.test("first start: the kite.key names the address on which Kontrol listens", async () => {
  await using folder = new TemporaryFolder();
  const path = `${folder.path}/kite/kite.key`;
  for (const ip of ["127.0.0.2", "127.0.0.1", "::1"]) {
    await using program = await startProgram(
      { folder: folder.path },
      `-ip=${ip}`,
      "-port=0",
      "-storage=memory",
    );
    const { kontrolURL = "" } = claimsOf(await read(path));
    assertEquals(kontrolURL, program.url.replace("127.0.0.1", "localhost"));
    if (ip === "127.0.0.2") continue; // not in the permissions of the tests
    await using kite = new Kite("math", "1.0.0", {
      kiteHome: `${folder.path}/kite`,
      logLevel: "FATAL",
    });
    assertEquals(
      (await kite.registerOnce("http://127.0.0.1:1/kite")).url,
      "http://127.0.0.1:1/kite",
    );
  }
});

Deno.test("first start: an address on which Kontrol cannot listen does not get into a later kite.key", async () => {
  await using folder = new TemporaryFolder();
  const failed = await runKontrol({ folder: folder.path }, "-ip=192.0.2.1", "-port=0");
  assertEquals(failed.code, 1);
  assertMatch(failed.stderr, /^kontrol: Cannot listen on port 0 of 192\.0\.2\.1: this machine has/);
  await using program = await startProgram({ folder: folder.path }, "-ip=127.0.0.1", "-port=0");
  const { kontrolURL = "" } = claimsOf(await read(`${folder.path}/kite/kite.key`));
  assertEquals(kontrolURL, program.url.replace("127.0.0.1", "localhost"));
});

Deno.test("first start: a kite.key of another Kontrol is not changed, and the shown command works", async () => {
  await using folder = new TemporaryFolder();
  const other = await createTestKeys({ kontrolUser: "kontrol" });
  const foreign = await other.kiteKey("kontrol");
  await Deno.mkdir(`${folder.path}/kite`);
  await Deno.writeTextFile(`${folder.path}/kite/kite.key`, foreign);
  await using program = await startProgram({ folder: folder.path }, ...LOCAL);
  assertEquals(await read(`${folder.path}/kite/kite.key`), foreign);
  const text = program.lines.join("\n");
  assertStringIncludes(text, `${folder.path}/kite/kite.key belongs to ANOTHER Kontrol`);
  const hint = /^try {8}KITE_HOME=(\S+) KITE_KONTROL_URL=(\S+) deno/m.exec(text);
  assertNotEquals(hint, null, text);
  await using kite = new Kite("math", "1.0.0", {
    kiteHome: hint![1]!,
    kontrolUrl: hint![2]!,
    logLevel: "FATAL",
  });
  await kite.registerOnce("http://127.0.0.1:1/kite");

  await using stranger = new Kite("math", "1.0.0", {
    kiteHome: `${folder.path}/kite`,
    kontrolUrl: program.url,
    logLevel: "FATAL",
  });
  const refused = await stranger.registerOnce("http://127.0.0.1:1/kite").catch(String);
  assertMatch(String(refused), /Cannot use this kite\.key at Kontrol .*no key pair found/);
  assertMatch(String(refused), /issued for http:\/\/127\.0\.0\.1:4000\/kite/);
});

Deno.test("first start: after a change of Kontrol's key pair, the user's kite.key stays usable", async () => {
  await using folder = new TemporaryFolder();
  const { path } = folder;
  const state = `${path}/kite/kontrol`;
  assertEquals((await runKontrol({ folder: path }, "-initial")).code, 0);
  const first = claimsOf(await read(`${path}/kite/kite.key`));
  const next = await generateKeyPair();
  await Deno.writeTextFile(`${state}/key.pem`, next.privateKey);
  await Deno.writeTextFile(`${state}/key_pub.pem`, next.publicKey);
  const rotated = await runKontrol({ folder: path }, "-initial");
  assertEquals([rotated.code, rotated.stderr], [0, ""]);
  assertStringIncludes(rotated.stdout, "kite.key already belongs to this Kontrol");
  {
    await using storage = new SqliteStorage({ path: `${state}/kontrol.db` });
    const pair = await storage.keyPairs.byPublic(first.kontrolKey ?? "");
    assert(await storage.keyPairs.softDelete(pair!.id));
  }
  const retired = await runKontrol({ folder: path }, "-initial");
  assertEquals([retired.code, retired.stderr], [0, ""]);
  assertStringIncludes(retired.stdout, "kite.key   renewed in");
  assertEquals(claimsOf(await read(`${path}/kite/kite.key`)).kontrolKey, next.publicKey);
});

Deno.test("first start: accepts key files with Windows line ends", async () => {
  await using folder = new TemporaryFolder();
  const state = `${folder.path}/kite/kontrol`;
  const start = () => runKontrol({ folder: folder.path }, "-initial");
  assertEquals((await start()).code, 0);
  const kiteKey = await read(`${folder.path}/kite/kite.key`);
  for (const name of ["key.pem", "key_pub.pem"]) {
    const text = await Deno.readTextFile(`${state}/${name}`);
    await Deno.writeTextFile(`${state}/${name}`, `\r\n${text.replaceAll("\n", "\r\n")}`);
  }
  await using program = await startProgram({ folder: folder.path }, "-ip=127.0.0.1", "-port=0");
  await using kite = new Kite("math", "1.0.0", {
    kiteKey,
    kontrolUrl: program.url,
    logLevel: "FATAL",
  });
  const result = await kite.registerOnce("http://127.0.0.1:1/kite");
  assertEquals(result.kiteKey, undefined, "no new kite.key is needed");
});

Deno.test("first start: ignores Kubernetes' variables for a service with a warning", async () => {
  await using folder = new TemporaryFolder();
  const env = {
    KONTROL_PORT: "tcp://10.0.0.1:4000",
    KONTROL_POSTGRES_PORT: "tcp://10.0.0.2:5432",
    KONTROL_PORT_4000_TCP_ADDR: "10.0.0.1",
  };
  const run = await runKontrol({ folder: folder.path, env }, "-initial", "-storage=memory");
  assertEquals(run.code, 0, run.stderr);
  assertEquals(run.stderr.trim().split("\n"), [
    "kontrol: warning: Ignoring the variable KONTROL_PORT: it describes a service of Kubernetes",
    "kontrol: warning: Ignoring the variable KONTROL_POSTGRES_PORT: " +
    "it describes a service of Kubernetes",
  ]);
});

/** Mounts an empty file system at a path; returns false if that is not permitted. */
async function mount(path: string, ...options: string[]): Promise<boolean> {
  await Deno.mkdir(path, { recursive: true });
  const args = ["-t", "tmpfs", "-o", options.join(), "tmpfs", path];
  const command = new Deno.Command("mount", { args, stdout: "null", stderr: "null" });
  return (await command.output().catch(() => ({ success: false }))).success;
}

const canMount = await (async () => {
  const path = await Deno.makeTempDir();
  const could = await mount(path, "size=16k");
  if (could) await new Deno.Command("umount", { args: [path] }).output();
  await Deno.remove(path);
  return could;
})();

for (
  const [what, option, storage, reason] of [
    ["a full disk", "size=16k", "sqlite", /disk is full/],
    ["a full disk", "size=8k", "memory", /disk is full/],
    ["a read-only file system", "ro", "sqlite", /file system is read-only/],
    ["a read-only file system", "ro", "memory", /file system is read-only/],
  ] as const
) {
  Deno.test({
    name: `first start: a home on ${what} is reported (${storage})`,
    ignore: !canMount,
    fn: async () => {
      await using folder = new TemporaryFolder();
      const disk = `${folder.path}/disk`;
      assert(await mount(disk, option));
      try {
        const words = ["-initial", `-home=${disk}/state`, `-storage=${storage}`];
        const { code, stderr } = await runKontrol({ folder: folder.path }, ...words);
        assertEquals([code, stderr.trim().split("\n").length], [1, 1], stderr);
        assertMatch(stderr, reason);
        assertStringIncludes(stderr, `kontrol: Cannot `);
        assertStringIncludes(stderr, disk);
      } finally {
        await new Deno.Command("umount", { args: [disk] }).output();
      }
    },
  });
}
