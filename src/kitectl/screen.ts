import { env } from "../runtime/env.ts";
import { isTerminal, writeStream } from "../runtime/output.ts";
import { exit } from "../runtime/process.ts";
import { EXIT } from "./exit_codes.ts";
import { columns, safeText } from "./text.ts";

const COLORS = Object.freeze({ red: 31, green: 32, yellow: 33, bold: 1 });
const CLEAR_LINE = "\r\x1b[K";
/** Milliseconds after which a command shows its progress. */
const PATIENCE = 1_000;

/** Writes results to standard output, and everything else to standard error. */
export class Screen {
  /** True if standard output is a terminal. */
  readonly isTerminal: boolean = isTerminal("stdout");
  readonly #showsProgress = isTerminal("stderr") && env("TERM") !== "dumb";
  readonly #hasColor = (env("NO_COLOR") ?? "") === "" && env("TERM") !== "dumb";
  #progress: string | undefined;

  /** Writes a line of the result. Ends the process if its reader has closed the output. */
  print(line: string): void {
    this.#write("stdout", `${line}\n`);
  }

  /** Writes rows in columns. */
  printTable(heads: readonly string[], rows: readonly (readonly string[])[]): void {
    const [head, ...lines] = columns([heads, ...rows]);
    this.print(this.color("bold", head!));
    for (const line of lines) this.print(line);
  }

  /** Writes a line that is not part of the result. */
  note(line: string): void {
    this.#write("stderr", `${safeText(line)}\n`);
  }

  /** Writes an error and a hint. */
  error(message: string, hint?: string): void {
    const label = isTerminal("stderr") && this.#hasColor ? paint("red", "error") : "error";
    this.#write("stderr", `${label}: ${safeText(message)}\n`);
    if (hint !== undefined) this.#write("stderr", `${safeText(hint)}\n`);
  }

  /** Colors a text if standard output is a terminal. */
  color(name: keyof typeof COLORS, text: string): string {
    return this.isTerminal && this.#hasColor ? paint(name, text) : text;
  }

  /**
   * Shows on a terminal what the command waits for, after one second.
   *
   * @param what such as `Downloading`; a function is called twice a second
   */
  async whileWaiting<Result>(
    what: string | (() => string),
    work: () => Promise<Result>,
  ): Promise<Result> {
    if (!this.#showsProgress) return await work();
    const begin = Date.now();
    const timer = setInterval(() => {
      if (Date.now() - begin < PATIENCE) return;
      const text = typeof what === "string" ? what : what();
      const seconds = Math.floor((Date.now() - begin) / 1_000);
      this.#progress = `${safeText(text)} … ${seconds}s`;
      writeStream("stderr", CLEAR_LINE + this.#progress);
    }, PATIENCE / 2);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      this.#clearProgress();
    }
  }

  #clearProgress(): void {
    if (this.#progress !== undefined) writeStream("stderr", CLEAR_LINE);
    this.#progress = undefined;
  }

  #write(stream: "stdout" | "stderr", text: string): void {
    this.#clearProgress();
    if (!writeStream(stream, text) && stream === "stdout") exit(EXIT.brokenPipe);
  }
}

function paint(name: keyof typeof COLORS, text: string): string {
  return `\x1b[${COLORS[name]}m${text}\x1b[0m`;
}
