import { assert, assertStringIncludes } from "@std/assert";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Milliseconds that a check may take. */
const BOUND = 120_000;

/** What a user may write against every entry point. */
const PROGRAM = `
import { type Client, Kite, KiteError } from "@kite/kite";
import { Kontrol, MemoryStorage, SqliteStorage } from "@kite/kite/kontrol";
import { startTestKontrol } from "@kite/kite/testing";

export const kite: Kite = new Kite("exp2", "1.0.0");
kite.handle("sum", ({ args }) => {
  const [a, b] = args.sliceOfLength(2);
  return a.number() + b.number();
});
export const remote: Client = kite.newClient("http://localhost:3636/kite");
export const untyped: unknown = await remote.tell("square", 4);
export const typed: number = await remote.tell<number>("square", 4);
export const found: readonly Client[] = await kite.getKites({ name: "math" });
export const error: KiteError = new KiteError("quotaError", "no seats left");
export const storages: readonly unknown[] = [Kontrol, MemoryStorage, SqliteStorage];
await using kontrol = await startTestKontrol();
console.log(kontrol.url);
`;

const SETTINGS: readonly Record<string, boolean>[] = [
  {},
  { noUncheckedIndexedAccess: true },
  { noUncheckedIndexedAccess: false },
  { exactOptionalPropertyTypes: false, noUncheckedIndexedAccess: false },
  { isolatedDeclarations: true, declaration: true },
];

/**
 * Checks programs in a project of their own that links this checkout.
 *
 * @returns what deno printed
 */
async function check(
  programs: readonly string[],
  compilerOptions: Record<string, boolean>,
): Promise<{ readonly isGood: boolean; readonly output: string }> {
  const directory = await Deno.makeTempDir();
  try {
    const config = {
      links: [ROOT],
      imports: { "@kite/kite": "jsr:@kite/kite" },
      ...(Object.keys(compilerOptions).length === 0 ? {} : { compilerOptions }),
    };
    await Deno.writeTextFile(`${directory}/deno.json`, JSON.stringify(config));
    const files = programs.map((_, index) => `${directory}/program${index}.ts`);
    await Promise.all(files.map((file, index) => Deno.writeTextFile(file, programs[index]!)));
    const args = ["check", "--quiet", "--config", `${directory}/deno.json`, ...files];
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args,
      cwd: directory,
      stdin: "null",
      stdout: "null",
      stderr: "piped",
      // A project of its own: nothing of this checkout's settings applies.
      env: { DENO_CONFIG: "", NO_COLOR: "1" },
      signal: AbortSignal.timeout(BOUND),
    }).output();
    return { isGood: success, output: new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

for (const settings of SETTINGS) {
  const name = Object.entries(settings).map(([key, value]) => `${key} ${value}`).join(", ");
  Deno.test(`deno check passes in a consumer's project with ${name || "no compiler options"}`, async () => {
    const { isGood, output } = await check([PROGRAM], settings);
    assert(isGood, output);
  });
}

Deno.test("tell gives unknown unless a type is named", async () => {
  const { isGood, output } = await check([
    `import { Kite } from "@kite/kite";
    const remote = new Kite("exp2", "1.0.0").newClient("http://localhost:3636/kite");
    export const wrong: { nope: string } = await remote.tell("square", 4);`,
    `import { Kite } from "@kite/kite";
    const remote = new Kite("exp2", "1.0.0").newClient("http://localhost:3636/kite");
    export const wrong: number = await remote.tellWith({ timeout: 5 }, "square", 4);`,
    `import { Kite } from "@kite/kite";
    export const wrong: string = await new Kite("exp2", "1.0.0").tellKontrol("kite.ping");`,
  ], {});
  assert(!isGood);
  assertStringIncludes(output, "Type 'unknown' is not assignable to type '{ nope: string; }'");
  assertStringIncludes(output, "Type 'unknown' is not assignable to type 'number'");
  assertStringIncludes(output, "Type 'unknown' is not assignable to type 'string'");
});
