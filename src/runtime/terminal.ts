import { KiteError } from "../protocol/errors.ts";
import { denoNamespace } from "./host.ts";
import { type InputStream, readLine } from "./line_reader.ts";

export { notify } from "./notify.ts";

interface OutputStream {
  readonly isTTY?: boolean;
  write(text: string, done: (error?: Error | null) => void): boolean;
}

interface TerminalScope {
  readonly process?: {
    readonly stdin?: InputStream;
    readonly stdout?: OutputStream;
    readonly stderr?: OutputStream;
  };
}

/** How long a question waits. */
export interface QuestionOptions {
  /** Takes the question back. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds to wait for an answer.
   *
   * @default 300_000
   */
  readonly timeout?: number;
}

const DEFAULT_TIMEOUT = 300_000;
/** All control characters but tab and newline: a text from afar must not steer the terminal. */
const CONTROL = /[^\P{Cc}\t\n]/gu;

/**
 * Writes a text to standard output, its control characters replaced.
 *
 * @returns the number of bytes written
 * @throws {KiteError} `genericError`: there is no standard output, or it is closed.
 */
export async function print(text: string): Promise<number> {
  const safe = text.replace(CONTROL, "\ufffd");
  const output = (globalThis as TerminalScope).process?.stdout;
  if (output === undefined) throw new KiteError("genericError", "there is no standard output here");
  await new Promise<void>((resolve, reject) => {
    output.write(safe, (cause) => {
      if (cause) reject(new KiteError("genericError", "standard output is closed", { cause }));
      else resolve();
    });
  });
  return new TextEncoder().encode(safe).length;
}

/**
 * Prints a message, and reads one line of standard input.
 *
 * @throws {KiteError} `timeout`; `genericError` when another question waits or there is no more
 * input; whatever the signal was aborted with.
 */
export function prompt(message: string, options: QuestionOptions = {}): Promise<string> {
  return ask(message, false, options);
}

/** {@linkcode prompt} for a password: a terminal does not show what is typed. */
export async function getPass(message: string, options: QuestionOptions = {}): Promise<string> {
  try {
    return await ask(message, true, options);
  } finally {
    // The end of the line was not shown either.
    if (standardInput()?.isTTY === true) await print("\n");
  }
}

/** Writes a line to standard error; in browsers to the console. */
export function writeError(line: string): void {
  // deno-lint-ignore no-console -- it is standard error on every runtime, and never throws
  console.error(line);
}

/** True if someone reads standard error on a terminal. */
export function isErrorTerminal(): boolean {
  const deno = denoNamespace();
  if (deno !== undefined) return deno.stderr.isTerminal();
  return (globalThis as TerminalScope).process?.stderr?.isTTY === true;
}

async function ask(
  message: string,
  isHidden: boolean,
  { signal, timeout = DEFAULT_TIMEOUT }: QuestionOptions,
): Promise<string> {
  const input = standardInput();
  if (input === undefined) throw new KiteError("genericError", "there is no standard input here");
  signal?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(new KiteError("timeout", `no answer at the terminal in ${timeout / 1000}s`));
  }, timeout);
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  try {
    const line = readLine(input, { isHidden, signal: controller.signal });
    const [answer] = await Promise.all([line, print(message)]);
    return answer;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

function standardInput(): InputStream | undefined {
  return (globalThis as TerminalScope).process?.stdin;
}
