import type { Logger } from "../log.ts";
import { LOG_LEVELS, type LogLevel } from "../log_level.ts";
import { redactText } from "../redact.ts";
import { type ConsoleLevel, writeConsole } from "../runtime/console.ts";

const PLACEHOLDER = /\{(\w+)\}/g;

/** Writes to the console of the page. Tokens and keys in its texts, and objects, are not written. */
export class ConsoleLogger implements Logger {
  readonly #name: string;
  readonly #rank: number;

  /** @param name the kite's name, which each line begins with */
  constructor(name: string, level: LogLevel) {
    this.#name = name;
    this.#rank = LOG_LEVELS.indexOf(level);
  }

  isEnabled(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= this.#rank;
  }

  fatal(message: string, details?: Record<string, unknown>): void {
    this.#write("FATAL", "error", message, details);
  }

  error(message: string, details?: Record<string, unknown>): void {
    this.#write("ERROR", "error", message, details);
  }

  warning(message: string, details?: Record<string, unknown>): void {
    this.#write("WARNING", "warn", message, details);
  }

  info(message: string, details?: Record<string, unknown>): void {
    this.#write("INFO", "info", message, details);
  }

  debug(message: string, details?: Record<string, unknown>): void {
    this.#write("DEBUG", "debug", message, details);
  }

  #write(
    level: LogLevel,
    as: ConsoleLevel,
    message: string,
    details: Record<string, unknown> = {},
  ): void {
    if (!this.isEnabled(level)) return;
    const text = message.replace(
      PLACEHOLDER,
      (placeholder, name: string) =>
        Object.hasOwn(details, name) ? show(details[name]) : placeholder,
    );
    writeConsole(as, redactText(`${this.#name}: ${text}`));
  }
}

/** Objects are not shown: their fields may be secrets. */
function show(value: unknown): string {
  return typeof value === "object" || typeof value === "function"
    ? `[${typeof value}]`
    : String(value);
}
