import { fromFileUrl, ROOT, TEST_LOCK } from "../../tools/paths.ts";
import { TestProcess } from "../support/process.ts";

/** Kontrol, with the permissions of its task. */
function runArguments(words: readonly string[], permissions: string): string[] {
  const config = fromFileUrl(new URL("deno.json", ROOT));
  const main = fromFileUrl(new URL("kontrol/main.ts", ROOT));
  return [
    "run",
    "--quiet",
    "--no-prompt",
    `--config=${config}`,
    TEST_LOCK,
    `--permission-set=${permissions}`,
    main,
    ...words,
  ];
}

/** The result of a run of the program. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run the program. The folder contains its kite.key and state. */
export interface ProgramOptions {
  readonly folder: string;
  readonly env?: Record<string, string>;
  /**
   * The permission set of deno.json.
   *
   * @default "kontrol"
   */
  readonly permissions?: "kontrol" | "kontrol-local";
}

function environment({ folder, env = {} }: ProgramOptions): Record<string, string> {
  return { KITE_HOME: `${folder}/kite`, NO_COLOR: "1", ...env };
}

/** Runs Kontrol's program until it exits. */
export async function runKontrol(options: ProgramOptions, ...words: string[]): Promise<Run> {
  const command = new Deno.Command(Deno.execPath(), {
    args: runArguments(words, options.permissions ?? "kontrol"),
    cwd: options.folder,
    env: environment(options),
    stdin: "null",
    signal: AbortSignal.timeout(20_000),
  });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A running program. */
export interface RunningKontrol extends AsyncDisposable {
  readonly url: string;
  /** The output so far. */
  readonly lines: readonly string[];
  /** Sends a signal and returns the exit code. */
  stop(signal: "SIGINT" | "SIGTERM"): Promise<number>;
  /** Kills it, as in a crash. */
  kill(): Promise<void>;
}

/** Starts Kontrol's program in the background; it ends with its scope. */
export async function startProgram(
  options: ProgramOptions,
  ...words: string[]
): Promise<RunningKontrol> {
  const process = await TestProcess.start({
    program: Deno.execPath(),
    args: runArguments(words, options.permissions ?? "kontrol"),
    cwd: options.folder,
    env: environment(options),
    ready: (line) => line.startsWith("try "),
  });
  const lines: string[] = [];
  process.onLine((line) => lines.push(line));
  const url = /listens at (\S+), its user/.exec(lines.join("\n"))?.[1] ?? "";
  return {
    url,
    lines,
    stop: async (signal) => {
      Deno.kill(process.pid, signal);
      return await process.exitCode();
    },
    kill: () => process.kill(),
    [Symbol.asyncDispose]: () => process.stop(),
  };
}
