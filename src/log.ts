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
 * A logger. Loggers of LogTape have this interface: `getLogger(["my-app", "kite"])`.
 *
 * A message may contain the names of details in braces, such as `"{who} called {method}"`. If the
 * level is enabled, the logger replaces them by the values. A message itself never contains text
 * from a remote.
 *
 * @example A logger that keeps errors
 * ```ts
 * import { Kite, type Logger } from "@kite/kite";
 *
 * const errors: string[] = [];
 * const ignore = (): void => {};
 * const logger: Logger = {
 *   fatal: (message) => errors.push(message),
 *   error: (message) => errors.push(message),
 *   warning: ignore,
 *   info: ignore,
 *   debug: ignore,
 * };
 * const kite = new Kite("math", "1.0.0", { logger });
 * kite.log.error("{count} seats are left", { count: 0 });
 * console.assert(errors[0] === "{count} seats are left");
 * ```
 */
export interface Logger {
  /** Logs an error after which the kite cannot continue. */
  fatal(message: string, details?: Record<string, unknown>): void;
  /** Logs an error. */
  error(message: string, details?: Record<string, unknown>): void;
  /** Logs a problem that the kite could handle. */
  warning(message: string, details?: Record<string, unknown>): void;
  /** Logs information for operators. */
  info(message: string, details?: Record<string, unknown>): void;
  /** Logs information for developers. */
  debug(message: string, details?: Record<string, unknown>): void;
}

/** Options of a {@linkcode KiteLogger}. */
export interface LoggerOptions {
  /**
   * The least severe level that is written.
   *
   * @default "INFO"
   */
  readonly logLevel?: LogLevel;
  /**
   * Disables colors, also on a terminal.
   *
   * @default false
   */
  readonly logNoColor?: boolean;
  /**
   * Writes a line. The line has no line break at its end.
   *
   * @default standard error
   */
  readonly write?: (line: string) => void;
}

/** The functions with which a logger formats a record and writes it. */
interface Formatted {
  readonly format: TextFormatter;
  readonly write: (line: string) => void;
}

const FORMAT = {
  timestamp: "date-time",
  level: "FULL",
  value: "bare",
  // Text from a remote must not look like another line, or control a terminal.
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
 * The default logger of kites. Writes lines of text to standard error, with colors on a terminal. It
 * omits secrets in details, and tokens in any text.
 *
 * @example
 * ```ts
 * import { KiteLogger } from "@kite/kite";
 *
 * const lines: string[] = [];
 * const log = new KiteLogger("math", { write: (line) => lines.push(line) });
 * log.info("{user} calls", { user: "alice" });
 * log.debug("not written at the level INFO");
 * console.assert(lines.length === 1 && lines[0]!.endsWith("alice calls"));
 * ```
 */
export class KiteLogger implements Logger {
  readonly #category: readonly string[];
  readonly #output: Formatted;
  #level: LogLevel;
  #rank: number;

  /**
   * Creates a logger.
   *
   * @param name the name of the kite, which each line contains
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

  /** The least severe level that is written. */
  get level(): LogLevel {
    return this.#level;
  }

  /** Changes the level. */
  setLevel(level: LogLevel): void {
    this.#level = level;
    this.#rank = LOG_LEVELS.indexOf(level);
  }

  /** True if messages of this level are written. */
  isEnabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= this.#rank;
  }

  /** Logs an error after which the kite cannot continue. */
  fatal(message: string, details?: Record<string, unknown>): void {
    this.#log("fatal", message, details);
  }

  /** Logs an error. */
  error(message: string, details?: Record<string, unknown>): void {
    if (this.#rank >= ERROR) this.#log("error", message, details);
  }

  /** Logs a problem that the kite could handle. */
  warning(message: string, details?: Record<string, unknown>): void {
    if (this.#rank >= WARNING) this.#log("warning", message, details);
  }

  /** Logs information for operators. */
  info(message: string, details?: Record<string, unknown>): void {
    if (this.#rank >= INFO) this.#log("info", message, details);
  }

  /** Logs information for developers. */
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
 * Switches a logger to DEBUG at SIGUSR2, and back to the former level at the next one. Windows and
 * browsers have no such signal, so this has no effect there.
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
 * Escapes control and format characters, which could forge a line or hide a part of it. Keeps
 * colors, since LogTape has already escaped those in texts of remotes.
 */
function escapeInvisible(line: string): string {
  return line.replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0)!.toString(16);
    return code.length > 4 ? `\\u{${code}}` : `\\u${code.padStart(4, "0")}`;
  });
}

/**
 * Returns the frames of an error's stack, each on an indented line. Returns none for a
 * `KiteError`.
 */
function framesOf(error: unknown): string {
  if (!(error instanceof Error) || error instanceof KiteError) return "";
  const { stack } = error;
  if (typeof stack !== "string") return "";
  // The message comes first and may look like frames. The real frames are the last lines.
  const frames = stack.slice(0, LONGEST_STACK).split("\n").slice(1 - MOST_FRAMES);
  return frames.filter((frame) => FRAME.test(frame))
    .map((frame) => `\n${escapeInvisible(redactText(frame))}`).join("");
}

/** Inserts the details into a message. LogTape expects texts and values alternately. */
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
