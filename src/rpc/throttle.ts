import { KiteError } from "../protocol/errors.ts";

/** A token bucket: full at first, one call taken from it each time, one put back every interval. */
export class Throttle {
  readonly #interval: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAt: number;

  /**
   * @param fillInterval milliseconds in which one call is put back, above 0
   * @param capacity calls that may come at once, a whole number above 0
   * @throws {KiteError} `configError` otherwise
   */
  constructor(fillInterval: number, capacity: number) {
    if (!(fillInterval > 0 && Number.isFinite(fillInterval))) {
      throw new KiteError(
        "configError",
        `throttle: fillInterval must be above 0 ms, got ${fillInterval}`,
      );
    }
    if (!(Number.isInteger(capacity) && capacity > 0)) {
      throw new KiteError(
        "configError",
        `throttle: capacity must be a whole number above 0, got ${capacity}`,
      );
    }
    this.#interval = fillInterval;
    this.#capacity = capacity;
    this.#tokens = capacity;
    this.#filledAt = performance.now();
  }

  /** Takes one call from the bucket; false when it is empty. */
  take(): boolean {
    const now = performance.now();
    const gained = Math.floor((now - this.#filledAt) / this.#interval);
    if (gained > 0) {
      this.#tokens = Math.min(this.#capacity, this.#tokens + gained);
      this.#filledAt += gained * this.#interval;
    }
    if (this.#tokens === 0) return false;
    this.#tokens--;
    return true;
  }
}
