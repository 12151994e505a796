import { KiteError } from "../protocol/errors.ts";
import { denoNamespace } from "./platform.ts";
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

/** Options of a question. */
export interface QuestionOptions {
  /** Cancels the question. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds to wait for an answer.
   *
   * @default 300_000
   */
  readonly timeout?: number;
}

const DEFAULT_TIMEOUT = 300_000;
/** Control characters except tab and newline. A remote's text must not control the terminal. */
const CONTROL = /[^\P{Cc}\t\n]/gu;

/**
 * Writes a text to standard output, with control characters replaced.
 *
 * @returns the number of bytes written
 * @throws {KiteError} `genericError` if there is no standard output, or it is closed
 */
export async function print(text: string): Promise<number> {
  const safe = text.replace(CONTROL, "\ufffd");
  const output = (globalThis as TerminalScope).process?.stdout;
  if (output === undefined) {
    throw new KiteError("genericError", "Cannot print: there is no standard output");
  }
  await new Promise<void>((resolve, reject) => {
    output.write(safe, (cause) => {
      if (cause) {
        reject(new KiteError("genericError", "Cannot print: standard output is closed", { cause }));
      } else resolve();
    });
  });
  return new TextEncoder().encode(safe).length;
}

/**
 * Prints a message and reads one line from standard input.
 *
 * @throws {KiteError} `timeout`; `genericError` if another question is waiting or the input has ended;
 * the reason of the signal if aborted
 */
export function prompt(message: string, options: QuestionOptions = {}): Promise<string> {
  return ask(message, false, options);
}

/** As {@linkcode prompt}, for a password, which the terminal does not show. */
export async function getPass(message: string, options: QuestionOptions = {}): Promise<string> {
  try {
    return await ask(message, true, options);
  } finally {
    // The line break of the answer was not shown either.
    if (standardInput()?.isTTY === true) await print("\n");
  }
}

/** Writes a line to standard error, or to the console in browsers. */
export function writeError(line: string): void {
  // deno-lint-ignore no-console -- writes to standard error on every runtime, and never throws
  console.error(line);
}

/** True if standard error is a terminal. */
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
  if (input === undefined) {
    throw new KiteError("genericError", "Cannot read a line: there is no standard input");
  }
  signal?.throwIfAborted();
  const controller = new AbortController();
  const timer = setTimeout(() => {
    controller.abort(
      new KiteError("timeout", `Cannot read a line: no answer within ${timeout} ms`),
    );
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
