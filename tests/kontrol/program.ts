import { fromFileUrl } from "../../tools/paths.ts";
import { TestProcess } from "../support/process.ts";

const MAIN = fromFileUrl(new URL("../../kontrol/main.ts", import.meta.url));

/** What a run of the program came to. */
export interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where a program runs: its folder holds its kite.key and its state. */
export interface ProgramOptions {
  readonly folder: string;
  readonly env?: Record<string, string>;
}

function environment({ folder, env = {} }: ProgramOptions): Record<string, string> {
  return { KITE_HOME: `${folder}/kite`, NO_COLOR: "1", ...env };
}

/** Runs Kontrol's program to its end. */
export async function runKontrol(options: ProgramOptions, ...words: string[]): Promise<Run> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", MAIN, ...words],
    cwd: options.folder,
    env: environment(options),
    stdin: "null",
    signal: AbortSignal.timeout(20_000),
  });
  const { code, stdout, stderr } = await command.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

/** A program that listens. */
export interface RunningKontrol extends AsyncDisposable {
  readonly url: string;
  /** Every line so far. */
  readonly lines: readonly string[];
  /** Tells it to stop; gives its exit code. */
  stop(signal: "SIGINT" | "SIGTERM"): Promise<number>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

/** Starts Kontrol's program, in the background until its scope ends. */
export async function startProgram(
  options: ProgramOptions,
  ...words: string[]
): Promise<RunningKontrol> {
  const process = await TestProcess.start({
    program: Deno.execPath(),
    args: ["run", "-A", MAIN, ...words],
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
