import { KiteError } from "./errors.ts";
import { cannotUse } from "./refusal.ts";

/** Milliseconds of each unit, as Go writes them. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ["ns", 1e-6],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["μs", 1e-3],
  ["ms", 1],
  ["s", 1_000],
  ["m", 60_000],
  ["h", 3_600_000],
]);
const WHOLE = /^([+-]?)((?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const MOST_CHARACTERS = 64;

/**
 * Parses a Go duration (`15s`, `5m`, `1h30m`, `500ms`, `1.5h`, `-1s`, `0`).
 *
 * @returns milliseconds
 * @throws {KiteError} `argumentError`
 */
export function parseDuration(text: string): number {
  if (text === "0" || text === "+0" || text === "-0") return 0;
  const match = text.length <= MOST_CHARACTERS ? WHOLE.exec(text) : null;
  if (match === null) {
    const rule = "must be a duration such as 15s, 5m, 1h30m or 500ms";
    throw cannotUse("duration", rule, { value: text, type: "argumentError" });
  }
  let milliseconds = 0;
  for (const [, amount, unit] of (match[2] ?? "").matchAll(PART)) {
    milliseconds += Number(amount) * (UNITS.get(unit ?? "") ?? 0);
  }
  return match[1] === "-" ? -milliseconds : milliseconds;
}

/**
 * Formats milliseconds as a Go duration: `1h30m0s`, `15s`, `500ms`, `0s`. Rounds to nanoseconds.
 *
 * @throws {KiteError} `argumentError` for NaN and infinities
 */
export function formatDuration(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) {
    const message =
      `Cannot format duration ${milliseconds}: must be a finite number of milliseconds`;
    throw new KiteError("argumentError", message);
  }
  const sign = milliseconds < 0 ? "-" : "";
  const nanoseconds = Math.round(Math.abs(milliseconds) * 1e6);
  if (nanoseconds === 0) return "0s";
  if (nanoseconds < 1e3) return `${sign}${nanoseconds}ns`;
  if (nanoseconds < 1e6) return `${sign}${nanoseconds / 1e3}µs`;
  if (nanoseconds < 1e9) return `${sign}${nanoseconds / 1e6}ms`;
  const hours = Math.floor(nanoseconds / 3_600e9);
  const minutes = Math.floor((nanoseconds % 3_600e9) / 60e9);
  const seconds = `${(nanoseconds % 60e9) / 1e9}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : `${sign}${seconds}`;
}
