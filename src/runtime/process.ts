import { builtinModule, denoNamespace } from "./platform.ts";

/** Ends the process with an exit code. */
export function exit(code: number): never {
  const { process } = globalThis as { process?: { exit(code: number): never } };
  if (process === undefined) throw new Error(`exit with code ${code}`);
  return process.exit(code);
}

/** Prints a line to standard output. */
export function printLine(text: string): void {
  // deno-lint-ignore no-console -- the one place that writes to standard output
  console.log(text);
}

/** Returns the command-line arguments of the program. */
export function programArguments(): readonly string[] {
  const { process } = globalThis as { process?: { argv?: readonly string[] } };
  return denoNamespace()?.args ?? process?.argv?.slice(2) ?? [];
}

/** True for the module that the runtime was started with. */
export function isMain(meta: { readonly main?: boolean }): boolean {
  return meta.main === true;
}

/**
 * Adds a listener for the signals to stop, SIGINT (Ctrl-C) and SIGTERM. The second signal ends the
 * process immediately with code 130.
 *
 * @returns a function that stops listening
 */
export function onInterrupt(listener: () => void): () => void {
  let wasTold = false;
  return onSignals(["SIGINT", "SIGTERM"], () => {
    if (wasTold) exit(130);
    wasTold = true;
    listener();
  });
}

/**
 * Adds a listener for signals. Browsers have none.
 *
 * @returns a function that stops listening
 */
export function onSignals(signals: readonly ProcessSignal[], listener: () => void): () => void {
  const deno = denoNamespace();
  if (deno !== undefined) {
    for (const signal of signals) deno.addSignalListener(signal, listener);
    return () => signals.forEach((signal) => deno.removeSignalListener(signal, listener));
  }
  const process = builtinModule("node:process");
  for (const signal of signals) process?.on(signal, listener);
  return () => signals.forEach((signal) => process?.off(signal, listener));
}

/** The signals that a process can listen to. */
export type ProcessSignal = "SIGINT" | "SIGTERM" | "SIGUSR2";

const SAID = Symbol.for("@kite/kite/said");

/**
 * True for the first call with this text in the process. Used for warnings about the process itself.
 * All copies of the library in one process share this state.
 */
export function isFirst(text: string): boolean {
  const scope = globalThis as { [SAID]?: Set<string> };
  const said = scope[SAID] ??= new Set();
  if (said.has(text)) return false;
  said.add(text);
  return true;
}
