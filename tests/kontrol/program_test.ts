import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Kite } from "../../mod.ts";
import { readKiteKeyClaims } from "../../src/auth/kite_key.ts";
import { VERSION } from "../../src/protocol/package_version.ts";
import { createTestKeys } from "../../src/testing/mod.ts";
import { freePort } from "../support/ports.ts";
import { runKontrol, startProgram } from "./program.ts";
import { TemporaryFolder } from "./support.ts";

const LOCAL = ["-ip=127.0.0.1", "-port=0"];

function mode(path: string): string {
  return ((Deno.statSync(path).mode ?? 0) & 0o777).toString(8);
}

function userKite(folder: string, kontrolUrl: string, name: string): Kite {
  return new Kite(name, "1.0.0", {
    ip: "127.0.0.1",
    kiteHome: `${folder}/kite`,
    kontrolUrl,
    logLevel: "FATAL",
  });
}

Deno.test("program: the first start needs no configuration, and the second finds all data", async () => {
  await using folder = new TemporaryFolder();
  const { path } = folder;
  let token = "";
  const port = freePort();
  const words = ["-ip=127.0.0.1", `-port=${port}`];
  {
    await using program = await startProgram({ folder: path }, ...words);
    const listening = program.lines.filter((line) => line.includes("listens"));
    assertEquals(listening.length, 1, listening.join("\n"));
    const [first, ...rest] = program.lines.filter((line) => !line.includes("INFO"));
    assertEquals(
      first,
      `Kontrol ${VERSION} listens at http://127.0.0.1:${port}/kite, its user is "kontrol"`,
    );
    assertEquals(rest, [
      `storage    sqlite, ${path}/kite/kontrol/kontrol.db`,
      `key pair   created in ${path}/kite/kontrol/key.pem`,
      `kite.key   written to ${path}/kite/kite.key`,
      `try        KITE_KONTROL_URL=${program.url} deno run -A examples/math_register.ts`,
    ]);
    assertEquals([mode(`${path}/kite`), mode(`${path}/kite/kite.key`)], ["700", "400"]);
    assertEquals(mode(`${path}/kite/kontrol`), "700");
    for (const file of ["key.pem", "key_pub.pem", "kite.key"]) {
      assertEquals(mode(`${path}/kite/kontrol/${file}`), "600", file);
    }
    const key = readKiteKeyClaims(await Deno.readTextFile(`${path}/kite/kite.key`));
    assertEquals([key.iss, key.sub], ["kontrol", "kontrol"]);
    assertEquals(key.kontrolURL, `http://localhost:${port}/kite`);

    await using kite = userKite(path, program.url, "echo");
    await kite.registerHttp("http://127.0.0.1:1/kite");
    token = await kite.getToken({ name: "echo" });
    assertEquals(await program.stop("SIGTERM"), 0);
  }
  await using program = await startProgram({ folder: path }, ...words);
  const lines = program.lines.filter((line) => !line.includes("INFO"));
  assertEquals(lines.slice(2, 4), [
    `key pair   read from ${path}/kite/kontrol/key.pem`,
    `kite.key   ${path}/kite/kite.key already belongs to this Kontrol`,
  ]);
  await using caller = userKite(path, program.url, "caller");
  assertEquals((await caller.getKites({ name: "echo" })).length, 1, "it is still registered");
  await using echo = userKite(path, program.url, "echo");
  echo.handle("ping", () => "pong");
  const { url } = await echo.listen();
  const client = caller.newClient(url, { authentication: { type: "token", key: token } });
  await client.dial();
  assertEquals(await client.tell("ping"), "pong", "a token from before the restart is valid");
});

Deno.test("program: only its owner can read the database", async () => {
  await using folder = new TemporaryFolder();
  await using program = await startProgram({ folder: folder.path }, ...LOCAL);
  for (const { name } of Deno.readDirSync(`${folder.path}/kite/kontrol`)) {
    assert(["600"].includes(mode(`${folder.path}/kite/kontrol/${name}`)), name);
  }
  assert(program.url !== "");
});

Deno.test("program: port 0 chooses a free port, which the kite.key names", async () => {
  await using folder = new TemporaryFolder();
  await using program = await startProgram({ folder: folder.path }, ...LOCAL);
  const { kontrolURL } = readKiteKeyClaims(
    await Deno.readTextFile(`${folder.path}/kite/kite.key`),
  );
  assertEquals(kontrolURL?.replace("localhost", "127.0.0.1"), program.url);
  await using kite = new Kite("math", "1.0.0", {
    kiteHome: `${folder.path}/kite`,
    logLevel: "FATAL",
  });
  await kite.register("http://127.0.0.1:1/kite");
});

Deno.test("program: another Kontrol's kite.key is not changed, which is reported", async () => {
  await using folder = new TemporaryFolder();
  const keys = await createTestKeys({ algorithm: "EdDSA" });
  const foreign = await keys.kiteKey();
  await Deno.mkdir(`${folder.path}/kite`);
  await Deno.writeTextFile(`${folder.path}/kite/kite.key`, foreign);
  await using program = await startProgram({ folder: folder.path }, ...LOCAL);
  const line = program.lines.find((line) => line.startsWith("kite.key"));
  assertStringIncludes(line ?? "", "belongs to ANOTHER Kontrol and was not changed");
  assertEquals(await Deno.readTextFile(`${folder.path}/kite/kite.key`), foreign);
});

Deno.test("program: -initial creates the keys and exits; flags override environment variables", async () => {
  await using folder = new TemporaryFolder();
  const options = {
    folder: folder.path,
    env: {
      KONTROL_HOME: `${folder.path}/state`,
      KONTROL_STORAGE: "memory",
      KONTROL_USERNAME: "queen",
      KONTROL_PORT: "99999",
      KONTROL_KONTROLURL: "https://kontrol.example/kite",
    },
  };
  const wrong = await runKontrol(options, "-initial");
  assertEquals(wrong.code, 1);
  assertStringIncludes(wrong.stdout + wrong.stderr, "KONTROL_PORT");
  const made = await runKontrol(options, "-initial", "-port=0");
  assertEquals([made.code, made.stderr], [0, ""]);
  assertEquals(made.stdout.trim().split("\n"), [
    `key pair   created in ${folder.path}/state/key.pem`,
    `kite.key   written to ${folder.path}/kite/kite.key`,
  ]);
  const claims = readKiteKeyClaims(await Deno.readTextFile(`${folder.path}/kite/kite.key`));
  assertEquals([claims.sub, claims.iss, claims.kontrolURL], [
    "queen",
    "queen",
    "https://kontrol.example/kite",
  ]);
  await using program = await startProgram(options, ...LOCAL);
  assertMatch(program.lines.join("\n"), /storage {4}memory; lost when Kontrol stops/);
  await using kite = userKite(folder.path, program.url, "math");
  await kite.register("http://127.0.0.1:1/kite");
  const [self] = await kite.getKites({ name: "kontrol" });
  assertEquals(self?.url, "https://kontrol.example/kite");
  assertEquals(self?.identity?.username, "queen");
});
