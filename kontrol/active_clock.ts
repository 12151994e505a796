/** Milliseconds that one stretch between two ticks counts, at most. */
const LONGEST_STRETCH = 1_000;

/** Milliseconds by which wall clock and monotonic clock may drift apart between two ticks. */
const DRIFT = 5_000;

/**
 * Milliseconds during which this process was able to listen. A kite must not count as silent for a
 * time in which Kontrol itself did not run: a blocked event loop, a stopped process, a sleeping
 * machine. So the clock is to be ticked often, and the time between two ticks counts only as far as a
 * healthy process would have ticked. The wall clock plays no part in it.
 */
export class ActiveClock {
  #at = 0;
  #tickedAt = performance.now();
  #wallAt = Date.now();

  /** The time, from an arbitrary start. */
  now(): number {
    return this.#at + Math.min(performance.now() - this.#tickedAt, LONGEST_STRETCH);
  }

  /**
   * To be called about twice a second.
   *
   * @returns whether the process was held up, or the wall clock moved: what others keep may be lost
   */
  tick(): boolean {
    const [monotonic, wall] = [performance.now(), Date.now()];
    const elapsed = monotonic - this.#tickedAt;
    const drift = wall - this.#wallAt - elapsed;
    this.#at += Math.min(elapsed, LONGEST_STRETCH);
    this.#tickedAt = monotonic;
    this.#wallAt = wall;
    return elapsed > DRIFT || Math.abs(drift) > DRIFT;
  }
}
