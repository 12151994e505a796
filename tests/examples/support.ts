import { fromFileUrl, ROOT, TEST_LOCK } from "../../tools/paths.ts";
import { TestProcess } from "../support/process.ts";

/** What a program that ran to its end came to. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  /** Without colors. */
  readonly stderr: string;
}

/** No colors, and a home of its own: what runs here sees no kite.key of the machine's owner. */
export function environment(home: string, more: Record<string, string> = {}): Env {
  return { NO_COLOR: "1", KITE_LOG_NOCOLOR: "1", KITE_IP: "127.0.0.1", KITE_HOME: home, ...more };
}

type Env = Record<string, string>;

/** Runs a program to its end, 30 seconds at most. */
export async function run(
  program: string,
  args: readonly string[],
  env: Env,
  cwd: string = fromFileUrl(ROOT),
): Promise<Run> {
  const command = new Deno.Command(program, {
    args: [...args],
    env,
    cwd,
    stdin: "null",
    signal: AbortSignal.timeout(30_000),
  });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Runs an example to its end. */
export function runExample(name: string, args: readonly string[], env: Env): Promise<Run> {
  return run(Deno.execPath(), ["run", "-A", TEST_LOCK, `examples/${name}`, ...args], env);
}

/** A program that goes on, and what it said when it was ready. */
export interface Started extends AsyncDisposable {
  readonly process: TestProcess;
  /** What the pattern's group caught. */
  readonly caught: string;
  /** All lines so far. */
  readonly lines: readonly string[];
}

/** Starts a program of this project; ready with the line that fits. */
export async function start(
  args: readonly string[],
  env: Env,
  pattern: RegExp,
): Promise<Started> {
  let caught = "";
  const process = await TestProcess.start({
    program: Deno.execPath(),
    args: ["run", "-A", TEST_LOCK, ...args],
    env,
    cwd: ROOT,
    ready: (line) => {
      const match = pattern.exec(line);
      caught = match?.[1] ?? caught;
      return match !== null;
    },
  });
  const lines: string[] = [];
  process.onLine((line) => lines.push(line));
  return { process, caught, lines, [Symbol.asyncDispose]: () => process.stop() };
}

/** A Kontrol on its embedded storage, in a home that goes with it; `caught` is its URL. */
export async function startKontrol(): Promise<Started & { readonly env: Env }> {
  const home = await Deno.makeTempDir({ prefix: "kite_kontrol_" });
  const env = environment(home);
  const args = ["kontrol/main.ts", "-ip=127.0.0.1", "-port=0"];
  const started = await start(args, env, /listens at (\S+), its user/);
  return {
    ...started,
    env: { ...env, KITE_KONTROL_URL: started.caught },
    [Symbol.asyncDispose]: async () => {
      await started.process.stop();
      await Deno.remove(home, { recursive: true });
    },
  };
}
