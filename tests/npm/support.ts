/**
 * The npm package, installed as a user installs it, and the runtimes that it is tested with.
 */

import { buildPackage } from "../../tools/npm.ts";
import { isStrict } from "../../tools/parts.ts";
import { fromFileUrl, ROOT } from "../../tools/paths.ts";

/** Milliseconds that a command may take. */
const COMMAND_MS = 180_000;

/** A runtime that is not Deno. */
export interface Runtime {
  readonly name: "Node 22" | "Node 24" | "Bun";
  /** The path of its program. */
  readonly program: string;
}

const VERSIONS = [
  ["Node 22", "node@22", "node"],
  ["Node 24", "node@24", "node"],
  ["Bun", "bun@1.4", "bun"],
] as const;

/**
 * The runtimes, fetched from npm. One that cannot be had is reported in a line and left out; with
 * `CI=true` that is an error.
 */
export function findRuntimes(): Runtime[] {
  return VERSIONS.flatMap(([name, spec, command]) => {
    const program = locate(spec, command);
    if (program !== undefined) return [{ name, program }];
    const lack = `${name}: \`npx -p ${spec}\` cannot fetch it`;
    if (isStrict()) throw new Error(`Cannot run these tests: ${lack}`);
    console.log(`skipped: ${lack}`);
    return [];
  });
}

function locate(spec: string, command: string): string | undefined {
  try {
    const { success, stdout } = new Deno.Command("npx", {
      args: ["--yes", "--package", spec, "--call", `command -v ${command}`],
      stdin: "null",
      stderr: "null",
    }).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** What a command printed. */
export interface Output {
  readonly success: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function run(
  cwd: string,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Output> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    signal: AbortSignal.timeout(COMMAND_MS),
  }).output();
  const text = new TextDecoder();
  return { success, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Runs a command that has to succeed, and returns its standard output. */
export async function succeed(
  cwd: string,
  program: string,
  ...args: string[]
): Promise<string> {
  const { success, stdout, stderr } = await run(cwd, program, args);
  if (!success) throw new Error(`${program} ${args.join(" ")} failed:\n${stdout}${stderr}`);
  return stdout;
}

/** An empty project in a folder of its own, in which the package is installed. */
export class Project implements AsyncDisposable {
  /** Its folder. */
  readonly folder: string;
  /** The tarball that was installed. */
  readonly tarball: string;

  private constructor(folder: string, tarball: string) {
    this.folder = folder;
    this.tarball = tarball;
  }

  /**
   * Builds the package and installs it with npm.
   *
   * @param besides further npm packages, such as "typescript@5"
   */
  static async create(...besides: string[]): Promise<Project> {
    const tarball = fromFileUrl(await buildPackage());
    const folder = await Deno.makeTempDir();
    const project = new Project(folder, tarball);
    try {
      const manifest = { name: "project", private: true, type: "module" };
      await project.write("package.json", JSON.stringify(manifest));
      await succeed(folder, "npm", "install", "--no-audit", "--no-fund", tarball, ...besides);
      return project;
    } catch (error) {
      await project[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Writes a file of the project. */
  async write(path: string, text: string): Promise<void> {
    await Deno.mkdir(`${this.folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${this.folder}/${path}`, text);
  }

  /** Copies files of this repository to the same place in the project. */
  async copy(...paths: string[]): Promise<void> {
    for (const path of paths) {
      await this.write(path, await Deno.readTextFile(new URL(path, ROOT)));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
