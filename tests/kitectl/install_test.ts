import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { fromFileUrl } from "../../tools/paths.ts";
import { archive, checksum, kiteArchive } from "./archives.ts";
import { eventually } from "../support/eventually.ts";
import { kitectlArguments, Machine } from "./support.ts";

const PLATFORM = `${Deno.build.os}_${{ x86_64: "amd64", aarch64: "arm64" }[Deno.build.arch]}`;
const TLS = new URL("../transport/tls/", import.meta.url);

async function names(folder: string): Promise<string[]> {
  const found = await Array.fromAsync(Deno.readDir(folder), ({ name }) => name);
  return found.sort();
}

Deno.test("kitectl install: an archive is installed, listed, run and uninstalled", async () => {
  await using machine = await Machine.make();
  assertEquals(await machine.run(["list"]), { code: 0, stdout: "", stderr: "" });
  await Deno.writeFile(`${machine.folder}/fs.tgz`, await kiteArchive("fs", "1.2.0"));
  const installed = await machine.run(["install", "fs.tgz"]);
  assertEquals(installed.stdout, "Installed local/archive/fs.kite/1.2.0\n", installed.stderr);
  const folder = `${machine.home}/kites/local/archive/fs.kite/1.2.0`;
  assertEquals((await Deno.stat(`${folder}/bin/fs`)).mode! & 0o777, 0o700);
  assertEquals((await Deno.stat(`${folder}/share/readme`)).mode! & 0o777, 0o600);
  assertEquals(await names(`${machine.home}/kites`), ["local"], "nothing else is left");

  assertEquals((await machine.run(["list"])).stdout, "local/archive/fs.kite/1.2.0\n");
  const json = JSON.parse((await machine.run(["list", "--json"])).stdout);
  assertEquals([json.version, json.program], ["1.2.0", `${folder}/bin/fs`]);

  const run = await machine.run(["run", "fs", "-port", "3636", "--help"], { input: "typed" });
  assertEquals(run.stdout, "fs 1.2.0: -port 3636 --help\ntyped");
  assertEquals(run.code, 7, "the exit code is that of the kite");

  const again = await machine.run(["install", "fs.tgz"]);
  assertEquals(again.code, 1);
  assertStringIncludes(again.stderr, "it is installed already");
  const named = await machine.run(["install", "fs.tgz", "--as", "github.com/koding/fs.kite/2.0.0"]);
  assertEquals(named.stdout, "Installed github.com/koding/fs.kite/2.0.0\n", named.stderr);
  const which = await machine.run(["run", "fs"]);
  assertEquals(which.code, 2);
  assertStringIncludes(which.stderr, "several versions are installed");
  assertEquals((await machine.run(["run", "github.com/koding/fs.kite/2.0.0"])).code, 7);

  assertEquals((await machine.run(["uninstall", "github.com/koding/fs.kite/2.0.0"])).code, 0);
  assertEquals(await names(`${machine.home}/kites`), ["local"]);
  assertEquals((await machine.run(["uninstall", "fs"])).code, 0);
  assertEquals(await names(`${machine.home}/kites`), []);
  assertEquals((await machine.run(["uninstall", "fs"])).code, 3);
});

Deno.test("kitectl install: under a task, a path is meant from where the user is", async () => {
  await using machine = await Machine.make();
  await Deno.mkdir(`${machine.folder}/here`);
  await Deno.writeFile(`${machine.folder}/here/fs.tgz`, await kiteArchive("fs", "1.0.0"));
  const env = { INIT_CWD: `${machine.folder}/here` };
  const { code, stderr } = await machine.run(["install", "fs.tgz"], { env });
  assertEquals(code, 0, stderr);
});

Deno.test("kitectl uninstall and run: names lead nowhere else", async () => {
  await using machine = await Machine.make();
  await Deno.mkdir(`${machine.folder}/victim/bin`, { recursive: true });
  for (const name of ["../../victim", "a/b/c/../../../../../victim", "/etc", "", ".", "a/b/c/d"]) {
    for (const command of ["uninstall", "run"]) {
      const { code, stderr } = await machine.run([command, name]);
      assertEquals(code, 3, stderr);
    }
    const as = await machine.run(["install", "x.tgz", "--as", name]);
    assert(as.code !== 0);
  }
  assert((await Deno.stat(`${machine.folder}/victim/bin`)).isDirectory);
});

Deno.test("kitectl install: a checksum decides, from the command line or the manifest", async () => {
  await using machine = await Machine.make();
  const bytes = await kiteArchive("fs", "1.0.0");
  await Deno.writeFile(`${machine.folder}/fs.tgz`, bytes);
  const good = await checksum(bytes);
  const wrong = "0".repeat(64);
  const bad = await machine.run(["install", "fs.tgz", "--sha256", wrong]);
  assertEquals([bad.code, await names(`${machine.home}/kites`)], [1, []]);
  assertMatch(bad.stderr, new RegExp(`its SHA-256 is ${good}, not ${wrong}`));
  assertEquals((await machine.run(["install", "fs.tgz", "--sha256", "abc"])).code, 2);
  const manifest = (sha256: string): Promise<void> =>
    Deno.writeTextFile(
      `${machine.folder}/kite.json`,
      JSON.stringify({
        version: "1.0.0",
        platforms: { [PLATFORM]: "fs.tgz" },
        sha256: { [PLATFORM]: sha256 },
      }),
    );
  await manifest(wrong);
  assertEquals((await machine.run(["install", "kite.json"])).code, 1);
  await manifest(good);
  const { stdout, stderr } = await machine.run(["install", "kite.json"]);
  assertEquals(stdout, "Installed local/archive/fs.kite/1.0.0\n", stderr);
});

Deno.test("kitectl install: over https, with redirects to https only", async () => {
  await using machine = await Machine.make();
  const bytes = await kiteArchive("fs", "1.0.0");
  const text = (name: string): string => Deno.readTextFileSync(new URL(name, TLS));
  await using server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: text("cert.pem"),
    key: text("key.pem"),
    onListen: () => {},
  }, (request) => {
    const { pathname } = new URL(request.url);
    const to = (location: string): Response =>
      new Response(null, { status: 302, headers: { location } });
    if (pathname === "/fs.tgz") return new Response(bytes);
    if (pathname === "/moved") return to("/fs.tgz");
    if (pathname === "/plain") return to("http://127.0.0.1:1/fs.tgz");
    if (pathname === "/loop") return to("/loop");
    if (pathname === "/kite.json") {
      return Response.json({ version: "1.0.0", platforms: { [PLATFORM]: "/fs.tgz" } });
    }
    if (pathname === "/file.json") {
      return Response.json({ version: "1.0.0", platforms: { [PLATFORM]: "file:///etc/passwd" } });
    }
    if (pathname === "/other.json") return Response.json({ version: "1.0.0", platforms: {} });
    return new Response(null, { status: 404 });
  });
  const base = `https://localhost:${server.addr.port}`;
  const env = { DENO_CERT: fromFileUrl(new URL("ca.pem", TLS)) };
  const expected: [string, number, RegExp][] = [
    [`${base}/moved`, 0, /^$/],
    [`${base}/plain`, 2, /Cannot download http:.*must be an https URL/],
    [`${base}/loop`, 1, /redirects more than 5 times/],
    [`${base}/none`, 3, /the server answered 404/],
    [`${base}/file.json`, 2, /Cannot download file:.*must be an https URL/],
    [`${base}/other.json`, 3, new RegExp(`it has nothing for ${PLATFORM}`)],
    ["http://localhost:1/fs.tgz", 2, /must be an https URL or a file/],
    ["https://localhost:1/fs.tgz", 5, /Cannot download/],
    ["nosuch.tgz", 1, /Cannot read .*nosuch\.tgz/],
  ];
  for (const [source, code, message] of expected) {
    const run = await machine.run(["install", source], { env });
    assertEquals(run.code, code, `${source}: ${run.stderr}`);
    assertMatch(run.stderr, message);
    await machine.run(["uninstall", "fs"]);
  }
  const manifest = await machine.run(["install", `${base}/kite.json`], { env });
  assertEquals(manifest.stdout, "Installed localhost/archive/fs.kite/1.0.0\n", manifest.stderr);
});

Deno.test("kitectl install: Ctrl-C ends a download, and leaves nothing behind", async () => {
  await using machine = await Machine.make();
  const bytes = await kiteArchive("fs", "1.0.0");
  const text = (name: string): string => Deno.readTextFileSync(new URL(name, TLS));
  const asked = Promise.withResolvers<void>();
  await using server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    cert: text("cert.pem"),
    key: text("key.pem"),
    onListen: () => {},
  }, () => {
    // Half of it, and then nothing more.
    const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
      controller.enqueue(bytes.subarray(0, bytes.length / 2));
      asked.resolve();
    };
    return new Response(new ReadableStream({ start }));
  });
  const words = ["install", `https://localhost:${server.addr.port}/fs.tgz`];
  const child = new Deno.Command(Deno.execPath(), {
    args: kitectlArguments(words),
    cwd: machine.folder,
    clearEnv: true,
    env: machine.environment({ DENO_CERT: fromFileUrl(new URL("ca.pem", TLS)) }),
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  await asked.promise;
  await eventually(async () => (await names(`${machine.home}/kites`)).length === 1);
  child.kill("SIGINT");
  assertEquals((await child.status).code, 130);
  assertEquals(await names(`${machine.home}/kites`), []);
});

Deno.test("kitectl install: an archive without its program, or with two folders, is refused", async () => {
  await using machine = await Machine.make();
  const cases: [Parameters<typeof archive>[0], RegExp][] = [
    [[{ name: "fs-1.0.0.kite/readme", body: "x" }], /it has no program bin\/fs/],
    [
      [{ name: "a-1.0.0.kite/bin/a", body: "x" }, { name: "b-1.0.0.kite/bin/b", body: "x" }],
      /it has more than one folder/,
    ],
    [[{ name: "fs", body: "x" }], /outside of a folder/],
    [[], /it is empty/],
    [[{ name: "fs.kite/bin/fs", body: "x" }], /Cannot tell the version/],
  ];
  for (const [entries, message] of cases) {
    await Deno.writeFile(`${machine.folder}/x.tgz`, await archive(entries));
    const { code, stderr } = await machine.run(["install", "x.tgz"]);
    assert(code === 1 || code === 2, stderr);
    assertMatch(stderr, message);
    assertEquals(await names(`${machine.home}/kites`), []);
  }
});
