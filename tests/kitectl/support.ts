import { fromFileUrl, ROOT } from "../../tools/paths.ts";
import { TestProcess } from "../support/process.ts";

const MAIN = fromFileUrl(new URL("../../src/kitectl/main.ts", import.meta.url));

/** The result of a run of kitectl. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How kitectl is run. */
export interface RunOptions {
  /** What is typed, or comes through a pipe. */
  readonly input?: string;
  readonly env?: Record<string, string>;
}

/** The machine of a user: a home folder, without the settings of this machine. */
export class Machine implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(): Promise<Machine> {
    return new Machine(await Deno.makeTempDir({ prefix: "kitectl_" }));
  }

  /** The folder of the kite.key. */
  get home(): string {
    return `${this.folder}/.kite`;
  }

  /** Puts a kite.key in place. */
  async writeKey(kiteKey: string): Promise<void> {
    await Deno.mkdir(this.home, { recursive: true });
    await Deno.writeTextFile(`${this.home}/kite.key`, kiteKey, { mode: 0o400 });
  }

  /** The environment of what runs there. */
  environment(more: Record<string, string> = {}): Record<string, string> {
    return {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: this.folder,
      DENO_DIR: DENO_DIR,
      NO_COLOR: "1",
      TERM: "xterm",
      // That of the task that runs the tests.
      INIT_CWD: "",
      ...more,
    };
  }

  /** Runs kitectl to its end. */
  async run(words: readonly string[], { input, env }: RunOptions = {}): Promise<Run> {
    const child = new Deno.Command(Deno.execPath(), {
      args: kitectlArguments(words),
      cwd: this.folder,
      clearEnv: true,
      env: this.environment(env),
      stdin: input === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(60_000),
    }).spawn();
    if (input !== undefined) {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(input));
      await writer.close();
    }
    const { code, stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
  }

  /**
   * Starts kitectl in the background.
   *
   * @param ready the line that says that it has started
   */
  start(
    words: readonly string[],
    ready: RegExp,
    env: Record<string, string> = {},
  ): Promise<TestProcess> {
    return TestProcess.start({
      program: Deno.execPath(),
      args: kitectlArguments(words),
      cwd: this.folder,
      env: this.environment({ KITE_HOME: "", ...env }),
      ready: (line) => ready.test(line),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** How Deno runs kitectl: with the permissions of its task. */
export function kitectlArguments(words: readonly string[]): string[] {
  const config = fromFileUrl(new URL("deno.json", ROOT));
  return ["run", "--quiet", `--config=${config}`, "--permission-set=kitectl", MAIN, ...words];
}

/** Runs kitectl on a terminal, and types each answer when its question is shown. */
export async function onTerminal(
  machine: Machine,
  words: readonly string[],
  answers: readonly (readonly [question: string, answer: string])[],
  env: Record<string, string> = {},
): Promise<{ readonly code: number; readonly shown: string }> {
  const quoted = [Deno.execPath(), ...kitectlArguments(words)].map((word) => `'${word}'`).join(" ");
  const child = new Deno.Command("script", {
    args: ["-qec", `exec ${quoted}`, "/dev/null"],
    cwd: machine.folder,
    clearEnv: true,
    env: machine.environment(env),
    stdin: "piped",
    stdout: "piped",
    signal: AbortSignal.timeout(60_000),
  }).spawn();
  const writer = child.stdin.getWriter();
  const left = [...answers];
  let shown = "";
  let looked = 0;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    shown += text;
    const [question, answer] = left[0] ?? [];
    if (question === undefined || answer === undefined) continue;
    const at = shown.indexOf(question, looked);
    if (at < 0) continue;
    looked = at + question.length;
    left.shift();
    await writer.write(new TextEncoder().encode(answer));
  }
  await writer.close().catch(() => {});
  const { code } = await child.status;
  return { code, shown };
}

const DENO_DIR = await denoDir();

async function denoDir(): Promise<string> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}
