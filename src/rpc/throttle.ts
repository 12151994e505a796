import { cannotUse } from "../protocol/refusal.ts";

/** A token bucket: it starts full, each call takes a token, and each interval adds one. */
export class Throttle {
  readonly #interval: number;
  readonly #capacity: number;
  #tokens: number;
  #filledAt: number;

  /**
   * @param fillInterval milliseconds until a token is added, above 0
   * @param capacity maximum number of tokens, an integer above 0
   * @throws {KiteError} `configError` for other values
   */
  constructor(fillInterval: number, capacity: number) {
    if (!(fillInterval > 0 && Number.isFinite(fillInterval))) {
      const rule = "must be a number of milliseconds above 0";
      throw cannotUse("fillInterval", rule, { value: fillInterval });
    }
    if (!(Number.isInteger(capacity) && capacity > 0)) {
      throw cannotUse("capacity", "must be an integer above 0", { value: capacity });
    }
    this.#interval = fillInterval;
    this.#capacity = capacity;
    this.#tokens = capacity;
    this.#filledAt = performance.now();
  }

  /** Takes a token. Returns false if there is none. */
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
