/** What a program of a test left behind. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const CONFIG = new URL("../../deno.json", import.meta.url);
const SECONDS = 30;

/** Runs a piece of TypeScript under Deno with `flags` alone, and without a prompt. */
export async function runDeno(
  flags: string[],
  code: string,
  variables: Record<string, string> = {},
  input: string = "",
): Promise<Finished> {
  const directory = await Deno.makeTempDir();
  try {
    const main = `${directory}/main.ts`;
    await Deno.writeTextFile(main, code);
    const base = ["run", "--no-prompt", "--no-lock", "--quiet", `--config=${pathOf(CONFIG)}`];
    return await run(Deno.execPath(), [...base, ...flags, main], variables, input);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/**
 * Runs a piece of JavaScript under Node, with `modules` (bundled first) in scope as the list of their
 * exports.
 */
export async function runNode(
  modules: string[],
  code: string,
  variables: Record<string, string> = {},
  input: string = "",
): Promise<Finished> {
  const directory = await Deno.makeTempDir();
  try {
    const imports = modules.map((url, index) => `import * as module${index} from "${url}";`);
    const names = modules.map((_, index) => `module${index}`);
    const entry = `${directory}/main.ts`;
    const output = `${directory}/main.mjs`;
    const body = `${imports.join("\n")}\nconst modules = [${names.join(", ")}];\n${code}`;
    await Deno.writeTextFile(entry, body);
    const flags = ["bundle", "--quiet", "--no-lock", `--config=${pathOf(CONFIG)}`];
    const bundled = await run(Deno.execPath(), [...flags, "-o", output, entry], {}, "");
    if (bundled.code !== 0) throw new Error(`deno bundle failed: ${bundled.stderr}`);
    return await run("node", [output], variables, input);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function run(
  program: string,
  args: string[],
  variables: Record<string, string>,
  input: string,
): Promise<Finished> {
  const child = new Deno.Command(program, {
    args,
    clearEnv: true,
    env: { ...ownVariables(), ...variables, NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(SECONDS * 1000),
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** The environment, without what would configure a kite. */
function ownVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("KITE_")),
  );
}

/**
 * True if a program is not installed here, so that what needs it is skipped, with a line that says
 * so. Where CI is set a missing program is a failure, and so nothing is skipped.
 */
export function lacks(program: string): boolean {
  try {
    new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return false;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    // deno-lint-ignore no-console -- the one line about what is skipped
    console.log(`skipped: ${program} is not installed`);
    return Deno.env.get("CI") !== "true";
  }
}

function pathOf(url: URL): string {
  return decodeURIComponent(url.pathname);
}
