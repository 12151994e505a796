/** Starts and ends the processes of a measurement, each with a time limit. */
import { TEST_LOCK } from "../../tools/paths.ts";

/** Milliseconds until a server must answer, and until a client must have finished. */
const START_BOUND = 20_000;
const RUN_BOUND = 90_000;

/** A program and its arguments. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  /** Beside the environment of the bench. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A running server. */
export interface ServerProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
}

/** A Deno program of this folder. */
export function denoProgram(
  file: string,
  options: Readonly<Record<string, string | number>>,
): Program {
  const script = new URL(file, import.meta.url).pathname;
  const words = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  return {
    command: Deno.execPath(),
    args: [
      "run",
      "-A",
      "--quiet",
      "--no-check",
      TEST_LOCK,
      "--v8-flags=--expose-gc",
      script,
      ...words,
    ],
  };
}

/** Returns an unused port of the loopback interface. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/**
 * Starts a server and waits until its port takes connections.
 *
 * @throws when it ends, or does not listen in time
 */
export async function startServer(program: Program, port: number): Promise<ServerProcess> {
  const child = new Deno.Command(program.command, {
    args: [...program.args],
    env: { NO_COLOR: "1", ...program.env },
    stdin: "piped", // every server here ends when its stdin does, so none outlives the bench
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const complaints = child.stderr.text();
  let ended = false;
  const status = child.status.then((value) => {
    ended = true;
    return value;
  });
  const stop = async (): Promise<void> => {
    if (!ended) child.kill("SIGKILL");
    await child.stdin.close().catch(() => undefined); // already broken when the process has ended
    await status;
    await complaints;
  };
  const deadline = performance.now() + START_BOUND;
  while (!ended && performance.now() < deadline) {
    if (await takesConnections(port)) return { port, pid: child.pid, [Symbol.asyncDispose]: stop };
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  await stop();
  throw new Error(`${describe(program)} did not listen: ${beginning(await complaints)}`);
}

/** Runs a program to its end and reads the last line that it prints, one JSON object. */
export async function runToEnd<Report>(program: Program): Promise<Report> {
  const child = new Deno.Command(program.command, {
    args: [...program.args],
    env: { NO_COLOR: "1", ...program.env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(RUN_BOUND),
  }).spawn();
  const { success, code, stdout, stderr } = await child.output();
  const text = new TextDecoder().decode(stdout).trimEnd();
  if (!success) {
    throw new Error(
      `${describe(program)} ended with ${code}: ${beginning(new TextDecoder().decode(stderr))}`,
    );
  }
  return JSON.parse(text.slice(text.lastIndexOf("\n") + 1)) as Report;
}

async function takesConnections(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    throw error;
  }
}

function describe({ command, args }: Program): string {
  const script = args.find((word) => word.endsWith(".ts") || word.endsWith(".cjs"));
  return (script ?? command).replace(/^.*\//, "");
}

/** Returns the first lines of a process's standard error, which name the error. */
function beginning(text: string): string {
  return text.trim().split("\n").slice(0, 4).join(" | ").slice(0, 600);
}
