import type { Logger } from "./log.ts";
import { unref } from "./runtime/turn.ts";

/** Milliseconds in which a kind of message is written {@linkcode BURST} times at most. */
const PERIOD = 10_000;
const BURST = 10;
/** Maximum number of kinds that are counted. With more, counting starts again. */
const MESSAGES = 256;

/** The levels that a remote can cause messages of. */
type Level = "error" | "warning" | "info";

interface Count {
  readonly level: Level;
  /** `performance.now()` when the period began. */
  since: number;
  written: number;
  suppressed: number;
  /** Runs while messages are suppressed. */
  timer: ReturnType<typeof setTimeout> | undefined;
}

/**
 * Writes each kind of message to a log a few times per period, and after that only the number of
 * further ones. All messages that remotes can cause are written through it, so that they cannot fill a
 * disk.
 */
export class LimitedLog {
  readonly #log: Logger;
  readonly #period: number;
  readonly #counts = new Map<string, Count>();

  /**
   * @param period milliseconds; default: 10_000
   */
  constructor(log: Logger, period: number = PERIOD) {
    this.#log = log;
    this.#period = period;
  }

  /**
   * Writes a message, or counts it if there were too many of its kind.
   *
   * @param kind messages of one kind are counted together
   * @param burst messages of this kind that may be written per period; default: 10
   */
  write(
    level: Level,
    kind: string,
    message: string,
    details: Record<string, unknown>,
    burst: number = BURST,
  ): void {
    const now = performance.now();
    let count = this.#counts.get(kind);
    if (count === undefined || count.timer === undefined && now - count.since >= this.#period) {
      if (this.#counts.size >= MESSAGES) this.#forget();
      count = { level, since: now, written: 0, suppressed: 0, timer: undefined };
      this.#counts.set(kind, count);
    }
    if (count.written < burst) {
      count.written++;
      return this.#log[level](message, details);
    }
    count.suppressed++;
    if (count.timer !== undefined) return;
    const late = count;
    count.timer = setTimeout(() => this.#end(kind, late), this.#period);
    unref(count.timer);
  }

  /** Writes the numbers of suppressed messages, and clears all timers. */
  flush(): void {
    for (const [kind, count] of this.#counts) this.#tell(kind, count);
  }

  #forget(): void {
    this.flush();
    this.#counts.clear();
  }

  #end(kind: string, count: Count): void {
    this.#counts.delete(kind);
    this.#tell(kind, count);
  }

  #tell(kind: string, count: Count): void {
    clearTimeout(count.timer);
    count.timer = undefined;
    if (count.suppressed === 0) return;
    const details = { count: count.suppressed.toLocaleString("en-US"), kind };
    count.suppressed = 0;
    this.#log[count.level]("… {count} more: {kind}", details);
  }
}
