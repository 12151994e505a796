/**
 * Programs run with exactly the permissions of their tasks. Those of the proxies and of kitectl are
 * also used by their own tests, and Kontrol's by every test of its program.
 */

import { assertEquals } from "@std/assert";
import { Kite } from "../../mod.ts";
import { generateKeyPair } from "../../src/auth/keys.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { startProgram } from "../kontrol/program.ts";
import { TemporaryFolder } from "../kontrol/support.ts";
import { TestEtcd } from "../support/etcd.ts";
import { skipUnless } from "../support/parts.ts";
import { skipUnlessPostgres, TestPostgres } from "../support/postgres.ts";

const TLS = new URL("tests/transport/tls/", ROOT);
const LOCAL = ["-ip=127.0.0.1", "-port=0"];

/** Runs Kontrol from its first start to its end: a kite registers, is found, and gets a token. */
async function assertWholeLife(
  permissions: "kontrol" | "kontrol-local",
  flags: readonly string[],
  options: { readonly ca?: string } = {},
): Promise<void> {
  await using folder = new TemporaryFolder();
  const words = flags.map((flag) => flag.replace("FOLDER", folder.path));
  const { publicKey, privateKey } = await generateKeyPair();
  await Deno.writeTextFile(`${folder.path}/public.pem`, publicKey);
  await Deno.writeTextFile(`${folder.path}/private.pem`, privateKey);
  await using program = await startProgram(
    { folder: folder.path, permissions },
    ...LOCAL,
    ...words,
  );
  await using kite = new Kite("math", "1.0.0", {
    kiteHome: `${folder.path}/kite`,
    kontrolUrl: program.url,
    logLevel: "FATAL",
    ...options,
  });
  await kite.registerOnce("http://127.0.0.1:1/kite");
  assertEquals((await kite.getKites({ name: "math" })).length, 1);
  await kite.getToken({ name: "math" });
  assertEquals(await program.stop("SIGTERM"), 0);
}

for (const permissions of ["kontrol", "kontrol-local"] as const) {
  Deno.test(`permissions: ${permissions} is enough for SQLite, memory, TLS and key files`, async () => {
    await assertWholeLife(permissions, ["-storage=memory"]);
    await assertWholeLife(permissions, ["-sqlitefile=FOLDER/elsewhere.db"]);
    await assertWholeLife(permissions, [
      "-publickeyfile=FOLDER/public.pem",
      "-privatekeyfile=FOLDER/private.pem",
    ]);
    await assertWholeLife(permissions, [
      `-tlscertfile=${fromFileUrl(new URL("cert.pem", TLS))}`,
      `-tlskeyfile=${fromFileUrl(new URL("key.pem", TLS))}`,
    ], { ca: await Deno.readTextFile(new URL("ca.pem", TLS)) });
  });
}

Deno.test({
  name: "permissions: kontrol is enough for PostgreSQL",
  ...await skipUnlessPostgres(),
  fn: async () => {
    await using postgres = await TestPostgres.start();
    await assertWholeLife("kontrol", [
      "-storage=postgres",
      `-postgres-host=${postgres.host}`,
      `-postgres-port=${postgres.port}`,
      `-postgres-username=${postgres.username}`,
      "-postgres-dbname=postgres",
    ]);
  },
});

Deno.test({
  name: "permissions: kontrol is enough for etcd",
  ...skipUnless("etcd"),
  fn: async () => {
    await using etcd = await TestEtcd.start();
    await assertWholeLife("kontrol", ["-storage=etcd", `-machines=${etcd.endpoints.join()}`]);
  },
});

/** What a program may do, by what it tries. The address that it asks for is never dialled. */
const PROBE = `
const tries = {
  read: () => Deno.readTextFileSync("deno.json"),
  write: () => Deno.makeTempDirSync(),
  env: () => Deno.env.toObject(),
  run: () => new Deno.Command(Deno.execPath(), { args: ["--version"] }).outputSync(),
  ffi: () => Deno.dlopen("nothing", {}),
  listen: () => Deno.listen({ hostname: "0.0.0.0", port: 0 }).close(),
  connect: () => Deno.permissions.querySync({ name: "net", host: "203.0.113.1:80" }).state
    === "granted" || refused(),
  hostname: () => Deno.hostname(),
  user: () => Deno.uid(),
};
function refused() { throw new Deno.errors.NotCapable(); }
const allowed = {};
for (const [name, attempt] of Object.entries(tries)) {
  try { attempt(); allowed[name] = true; }
  catch (error) { allowed[name] = !(error instanceof Deno.errors.NotCapable); }
}
console.log(JSON.stringify(allowed));
`;

const NOTHING = {
  ...{ read: false, write: false, env: false, run: false, ffi: false, listen: false },
  ...{ connect: false, hostname: false, user: false },
};

const ALLOWED = {
  "kontrol-local": { read: true, write: true, env: true, listen: true, hostname: true },
  kontrol: { read: true, write: true, env: true, listen: true, connect: true, hostname: true },
  proxy: { read: true, env: true, listen: true, connect: true, hostname: true },
  kitectl: {
    ...{ read: true, write: true, env: true, run: true },
    ...{ listen: true, connect: true, hostname: true },
  },
};

for (const [permissions, allowed] of Object.entries(ALLOWED)) {
  Deno.test(`permissions: ${permissions} refuses what its programs do not need`, async () => {
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(file, PROBE);
      const config = fromFileUrl(new URL("deno.json", ROOT));
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--quiet", "--no-prompt", "--no-check"],
          ...[`--config=${config}`, `--permission-set=${permissions}`, file],
        ],
        cwd: fromFileUrl(ROOT),
        stdin: "null",
      }).output();
      const text = new TextDecoder();
      assertEquals(
        JSON.parse(text.decode(stdout) || "{}"),
        { ...NOTHING, ...allowed },
        text.decode(stderr),
      );
    } finally {
      await Deno.remove(file);
    }
  });
}

Deno.test("permissions: kontrol-local cannot use a PostgreSQL on another machine", async () => {
  await using folder = new TemporaryFolder();
  const { runKontrol } = await import("../kontrol/program.ts");
  const { code, stderr } = await runKontrol(
    { folder: folder.path, permissions: "kontrol-local" },
    ...LOCAL,
    ...["-storage=postgres", "-postgres-host=203.0.113.1", "-postgres-username=kontrol"],
    "-postgres-dbname=kontrol",
  );
  assertEquals(code, 1, stderr);
  assertEquals(/--allow-net|net access/.test(stderr), true, stderr);
});
