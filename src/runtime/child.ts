import { KiteError, messageOf } from "../protocol/errors.ts";
import { builtinModule, isAllowed } from "./platform.ts";
import { isTerminal } from "./output.ts";
import { onSignals } from "./process.ts";

/** Exit codes of a shell for a program that a signal ended: 128 and the signal's number. */
const SIGNAL_CODES: Readonly<Record<string, number>> = Object.freeze({
  SIGHUP: 129,
  SIGINT: 130,
  SIGKILL: 137,
  SIGTERM: 143,
});

/**
 * Runs a program on the terminal of this one, and passes on the signals that would end it.
 *
 * @param onStart called once signals are passed on: listeners that would end this process can go
 * @returns its exit code, as a shell has it
 * @throws {KiteError} `configError` if it cannot be started
 */
export async function runProgram(
  path: string,
  args: readonly string[],
  onStart: () => void = () => {},
): Promise<number> {
  const processes = isAllowed({ name: "run", command: path })
    ? builtinModule("node:child_process")
    : undefined;
  if (processes === undefined) {
    throw new KiteError("configError", `Cannot run ${path}: Deno needs --allow-run`);
  }
  const child = processes.spawn(path, args, { stdio: "inherit" });
  // After `child.kill`, Deno reports the signal in place of the program's own exit code.
  const pass = (signal: "SIGINT" | "SIGTERM"): void => {
    const { pid, exitCode } = child;
    if (pid !== undefined && exitCode === null) builtinModule("node:process").kill(pid, signal);
  };
  const release = onSignals(["SIGTERM"], () => pass("SIGTERM"));
  // A terminal sends Ctrl-C to the program as well, and twice would mean something else.
  const releaseInterrupt = onSignals(["SIGINT"], () => {
    if (!isTerminal("stdin")) pass("SIGINT");
  });
  onStart();
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", (cause) => {
        const message = `Cannot run ${path}: ${messageOf(cause)}`;
        reject(new KiteError("configError", message, { cause }));
      });
      child.once("exit", (code, signal) => {
        resolve(code ?? SIGNAL_CODES[String(signal)] ?? 1);
      });
    });
  } finally {
    release();
    releaseInterrupt();
  }
}
