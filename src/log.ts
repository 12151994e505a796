import {
  getAnsiColorFormatter,
  getTextFormatter,
  type LogRecord,
  type TextFormatter,
} from "@logtape/logtape";
import { KiteError } from "./protocol/errors.ts";
import { LOG_LEVELS, type LogLevel } from "./log_level.ts";
import { redact, redactText } from "./redact.ts";
import { env, operatingSystem } from "./runtime/env.ts";
import { onSignals } from "./runtime/process.ts";
import { isErrorTerminal, writeError } from "./runtime/terminal.ts";

export type { LogLevel };

/**
 * Takes what a kite has to tell. A logger of LogTape is one: `getLogger(["my-app", "kite"])`.
 *
 * A message may name its details in braces, `"{who} called {method}"`. So nothing is put together
 * for a level that is off, and a text from elsewhere is never taken for a part of the message.
 */
export interface Logger {
  /** The kite cannot go on. */
  fatal(message: string, details?: Record<string, unknown>): void;
  /** Something failed. */
  error(message: string, details?: Record<string, unknown>): void;
  /** Something is odd, or failed in a way that is made up for. */
  warning(message: string, details?: Record<string, unknown>): void;
  /** What an owner wants to know. */
  info(message: string, details?: Record<string, unknown>): void;
  /** What a developer wants to know. */
  debug(message: string, details?: Record<string, unknown>): void;
}

/** How a {@linkcode KiteLogger} begins. */
export interface LoggerOptions {
  /**
   * This level and those before it are written.
   *
   * @default "INFO"
   */
  readonly logLevel?: LogLevel;
  /**
   * Write without colors even to a terminal.
   *
   * @default false
   */
  readonly logNoColor?: boolean;
  /**
   * Takes each line, without its end.
   *
   * @default standard error
   */
  readonly write?: (line: string) => void;
}

/** What a logger tells of itself, beside {@linkcode Logger}. */
interface Formatted {
  readonly format: TextFormatter;
  readonly write: (line: string) => void;
}

const FORMAT = {
  timestamp: "date-time",
  level: "FULL",
  value: "bare",
  // What comes from a remote must not look like a line of its own, or steer a terminal.
  sanitize: { sgr: "escape", newlines: "escape" },
} as const;
const ERROR = LOG_LEVELS.indexOf("ERROR");
const WARNING = LOG_LEVELS.indexOf("WARNING");
const INFO = LOG_LEVELS.indexOf("INFO");
const DEBUG = LOG_LEVELS.indexOf("DEBUG");
// deno-lint-ignore no-control-regex -- the colors that the formatter adds begin with it
const INVISIBLE = /(?!\x1b\[[\d;]*m)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const FRAME = /^ {4}at /;
const MOST_FRAMES = 12;
const LONGEST_STACK = 8_192;
const PLACEHOLDER = /\{(\w+)\}/g;

/**
 * A kite's own logger: lines of text on standard error, colored on a terminal. Secrets in details,
 * and tokens in any text, are not written.
 */
export class KiteLogger implements Logger {
  readonly #category: readonly string[];
  readonly #output: Formatted;
  #level: LogLevel;
  #rank: number;

  /**
   * Begins with a level that can change later.
   *
   * @param name the kite's name, which stands in each line
   */
  constructor(name: string, options: LoggerOptions = {}) {
    const { logLevel = "INFO", logNoColor = false, write } = options;
    this.#category = [name];
    this.#level = logLevel;
    this.#rank = LOG_LEVELS.indexOf(logLevel);
    const isPlain = logNoColor || write !== undefined || !isErrorTerminal() ||
      (env("NO_COLOR") ?? "") !== "";
    this.#output = {
      format: isPlain ? getTextFormatter(FORMAT) : getAnsiColorFormatter(FORMAT),
      write: write ?? writeError,
    };
  }

  /** This level and those before it are written. */
  get level(): LogLevel {
    return this.#level;
  }

  /** Changes the level, at any time. */
  setLevel(level: LogLevel): void {
    this.#level = level;
    this.#rank = LOG_LEVELS.indexOf(level);
  }

  /** True if messages of this level are written. */
  isEnabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= this.#rank;
  }

  /** The kite cannot go on. */
  fatal(message: string, details?: Record<string, unknown>): void {
    this.#log("fatal", message, details);
  }

  /** Something failed. */
  error(message: string, details?: Record<string, unknown>): void {
    if (this.#rank >= ERROR) this.#log("error", message, details);
  }

  /** Something is odd, or failed in a way that is made up for. */
  warning(message: string, details?: Record<string, unknown>): void {
    if (this.#rank >= WARNING) this.#log("warning", message, details);
  }

  /** What an owner wants to know. */
  info(message: string, details?: Record<string, unknown>): void {
    if (this.#rank >= INFO) this.#log("info", message, details);
  }

  /** What a developer wants to know. */
  debug(message: string, details?: Record<string, unknown>): void {
    if (this.#rank >= DEBUG) this.#log("debug", message, details);
  }

  #log(level: LogRecord["level"], message: string, details?: Record<string, unknown>): void {
    const properties = (details === undefined ? {} : redact(details)) as Record<string, unknown>;
    const line = this.#output.format({
      category: this.#category,
      level,
      message: details === undefined ? [redactText(message)] : fill(message, properties),
      rawMessage: message,
      timestamp: Date.now(),
      properties,
    });
    const frames = details === undefined ? "" : framesOf(details.error);
    this.#output.write(escapeInvisible(line.trimEnd()) + frames);
  }
}

/**
 * Lets SIGUSR2 switch a logger to DEBUG, and the next one back to the level that it had. There is no
 * such signal on Windows and in browsers: nothing happens there.
 *
 * @returns a function that stops listening
 */
export function toggleDebugOnSignal(logger: KiteLogger): () => void {
  const system = operatingSystem();
  if (system === "windows" || system === "") return () => {};
  let before: LogLevel | undefined;
  return onSignals(["SIGUSR2"], () => {
    const level = before ?? "DEBUG";
    before = before === undefined ? logger.level : undefined;
    logger.setLevel(level);
    logger.info("SIGUSR2: the log level is now {level}", { level });
  });
}

/**
 * Escapes what could forge a line or hide a part of it: control and format characters, such as those
 * that change the direction of text. Colors stay: those in texts of others are escaped before.
 */
function escapeInvisible(line: string): string {
  return line.replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });
}

/** The stack of an error that no part of Kite made, each frame on an indented line of its own. */
function framesOf(error: unknown): string {
  if (!(error instanceof Error) || error instanceof KiteError) return "";
  const { stack } = error;
  if (typeof stack !== "string") return "";
  // The message comes first and may look like frames; the real ones are the last lines.
  const frames = stack.slice(0, LONGEST_STACK).split("\n").slice(1 - MOST_FRAMES);
  return frames.filter((frame) => FRAME.test(frame))
    .map((frame) => `\n${escapeInvisible(redactText(frame))}`).join("");
}

/** The message with its details put in, as LogTape has it: texts and values by turns. */
function fill(message: string, details: Readonly<Record<string, unknown>>): unknown[] {
  const parts: unknown[] = [];
  let end = 0;
  for (const match of message.matchAll(PLACEHOLDER)) {
    const [placeholder, name = ""] = match;
    if (!Object.hasOwn(details, name)) continue;
    parts.push(redactText(message.slice(end, match.index)), details[name]);
    end = match.index + placeholder.length;
  }
  parts.push(redactText(message.slice(end)));
  return parts;
}
