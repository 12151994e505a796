/** The severity of a log message. */
export type LogLevel = "FATAL" | "ERROR" | "WARNING" | "INFO" | "DEBUG";

/** The levels, gravest first, as the Go kite has them. */
export const LOG_LEVELS: readonly LogLevel[] = Object.freeze([
  "FATAL",
  "ERROR",
  "WARNING",
  "INFO",
  "DEBUG",
]);
