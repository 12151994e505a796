/** The programs as binaries of `deno compile`. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../src/protocol/package_version.ts";
import { compileProgram } from "../../tools/compile.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { type Program, readPrograms } from "../../tools/programs.ts";

/** Permissions as the binary has them: null for none, an empty list for all. */
type Baked = Record<string, readonly string[] | null>;

const BASE_BINARY = Deno.env.get("DENORT_BIN");
const programs = await readPrograms();

/** Compiles with the real base binary. Undefined where it can be had neither here nor by download. */
async function compileReal(program: Program, output: string): Promise<string | undefined> {
  try {
    return await compileProgram(program, { output });
  } catch (error) {
    if (/dns error|error sending request|client error|connect/i.test(String(error))) return;
    throw error;
  }
}

/** Reads the permissions that `deno compile` wrote into a binary. */
async function bakedPermissions(binary: string): Promise<Baked> {
  const text = new TextDecoder("latin1").decode(await Deno.readFile(binary));
  const marker = '"code_cache_key":';
  const start = text.lastIndexOf('"permissions":{', text.length);
  const metadata = text.lastIndexOf(marker, start);
  assert(start > metadata && start - metadata < 200, "the binary has permissions");
  return JSON.parse(text.slice(start + '"permissions":'.length, text.indexOf("}", start) + 1));
}

/** The permissions of a set of deno.json as a binary has them. */
function expected(set: Record<string, unknown>): Baked {
  return Object.fromEntries(
    ["env", "net", "ffi", "read", "run", "sys", "write"].map((name) => {
      const value = set[name];
      return [`allow_${name}`, value === true ? [] : (value as string[] | undefined) ?? null];
    }),
  );
}

/** Checks for a package that is loaded on demand, which Deno does not include by itself. */
async function includesEtcd3(binary: string): Promise<void> {
  const text = new TextDecoder("latin1").decode(await Deno.readFile(binary));
  assert(text.includes('"name": "etcd3"'));
}

async function runs(binary: string): Promise<void> {
  const { stdout, stderr } = await new Deno.Command(binary, {
    args: ["-version"],
    stdin: "null",
    signal: AbortSignal.timeout(20_000),
  }).output();
  const text = new TextDecoder();
  assertEquals(text.decode(stdout).trim(), VERSION, text.decode(stderr));
}

Deno.test("binaries: each program compiles with exactly the permissions of its task", async () => {
  const { permissions } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const output = await Deno.makeTempDir();
  try {
    const first = await compileReal(programs[0]!, output);
    const isReal = first !== undefined && BASE_BINARY === undefined;
    if (!isReal) {
      console.log("not run: the base binary of `deno compile` cannot be fetched here");
      if (first === undefined) Deno.env.set("DENORT_BIN", Deno.execPath());
    }
    for (const program of programs) {
      const binary = await compileProgram(program, { output });
      const baked = await bakedPermissions(binary);
      const wanted = expected(permissions[program.permissions]);
      for (const [name, value] of Object.entries(wanted)) {
        assertEquals(baked[name], value, `${program.name}: ${name}`);
      }
      assertEquals(baked.prompt as unknown, false);
      if (program.name === "kontrol") await includesEtcd3(binary);
      if (isReal) await runs(binary);
      await Deno.remove(binary);
    }
  } finally {
    if (BASE_BINARY === undefined) Deno.env.delete("DENORT_BIN");
    await Deno.remove(output, { recursive: true });
  }
});

Deno.test("binaries: a set of Kontrol without PostgreSQL and etcd has less of the network", async () => {
  const { permissions } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const { net, ...local } = permissions["kontrol-local"];
  const { net: whole, ...rest } = permissions.kontrol;
  assertEquals(local, rest);
  assertEquals(whole, true);
  assertEquals(
    net.every((host: string) => /^(0\.0\.0\.0|\[::1?\]|127\.0\.0\.1|localhost)$/.test(host)),
    true,
  );
});

// cspell:ignore kontroll
Deno.test("binaries: an unknown program is refused by name", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--permission-set=compile", "tools/compile.ts", "unknown"],
    cwd: fromFileUrl(ROOT),
    stdin: "null",
  }).output();
  assertEquals(success, false);
  assertStringIncludes(
    new TextDecoder().decode(stderr),
    "There is no program unknown; must be one of kitectl, ",
  );
});
