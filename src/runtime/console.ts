/** The levels at which a console shows a line. */
export type ConsoleLevel = "error" | "warn" | "info" | "debug";

/** Shows a line on the console. */
export function writeConsole(level: ConsoleLevel, line: string): void {
  console[level](line);
}
