/** Maximum number of milliseconds that count between two ticks. */
const MAX_INTERVAL = 1_000;

/** Maximum difference in milliseconds between wall clock and monotonic clock between two ticks. */
const MAX_DRIFT = 5_000;

/**
 * Measures the time during which this process was able to receive heartbeats. Time in which it did
 * not run (a blocked event loop, a stopped process, a suspended machine) does not count, so that no
 * kite appears silent because of it. The clock is independent of the wall clock.
 */
export class ActiveClock {
  #at = 0;
  #tickedAt = performance.now();
  #wallAt = Date.now();

  /** The active time in milliseconds since an arbitrary start. */
  now(): number {
    return this.#at + Math.min(performance.now() - this.#tickedAt, MAX_INTERVAL);
  }

  /**
   * Call it about twice a second.
   *
   * @returns true if the process was suspended or the wall clock jumped, after which registrations may
   * have expired in the storage
   */
  tick(): boolean {
    const [monotonic, wall] = [performance.now(), Date.now()];
    const elapsed = monotonic - this.#tickedAt;
    const drift = wall - this.#wallAt - elapsed;
    this.#at += Math.min(elapsed, MAX_INTERVAL);
    this.#tickedAt = monotonic;
    this.#wallAt = wall;
    return elapsed > MAX_DRIFT || Math.abs(drift) > MAX_DRIFT;
  }
}
