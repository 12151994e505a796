import { checkOptions, checkRange, type Checks, checkWait } from "./config_values.ts";

/** The delays between attempts to reconnect. They grow exponentially. */
export interface BackoffOptions {
  /**
   * Milliseconds before the first retry.
   *
   * @default 100
   */
  readonly initialDelay?: number;
  /**
   * The factor by which each delay is longer than the one before.
   *
   * @default 1.7
   */
  readonly factor?: number;
  /**
   * Longest delay, milliseconds.
   *
   * @default 15_000
   */
  readonly maxDelay?: number;
  /**
   * The largest part of a delay, from 0 to 1, by which it is shortened at random. Many clients then
   * do not reconnect at the same time.
   *
   * @default 0.5
   */
  readonly jitter?: number;
  /**
   * The number of retries after which the client gives up. The first attempt, which is made without
   * a delay, does not count.
   *
   * @default Infinity
   */
  readonly maxAttempts?: number;
}

const DEFAULTS: Required<BackoffOptions> = Object.freeze({
  initialDelay: 100,
  factor: 1.7,
  maxDelay: 15_000,
  jitter: 0.5,
  maxAttempts: Infinity,
});

const CHECKS: Checks<BackoffOptions> = Object.freeze({
  initialDelay: checkWait,
  factor: checkRange(1, Infinity),
  maxDelay: checkWait,
  jitter: checkRange(0, 1),
  maxAttempts: checkRange(0, Infinity),
});

/**
 * Checks the options of a {@linkcode Backoff}.
 *
 * @throws {KiteError} `configError`
 */
export function checkBackoff(name: string, value: unknown): BackoffOptions {
  return checkOptions(name, value, CHECKS);
}

/** Computes the delays between attempts. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #attempts = 0;

  /** @throws {KiteError} `configError` for an option that cannot be used */
  constructor(options: BackoffOptions = {}) {
    this.#options = { ...DEFAULTS, ...checkBackoff("backoff", options) };
  }

  /** Number of delays since the last {@linkcode Backoff.reset}. */
  get attempts(): number {
    return this.#attempts;
  }

  /** Returns the next delay in milliseconds, or undefined after `maxAttempts`. */
  next(): number | undefined {
    const { initialDelay, factor, maxDelay, jitter, maxAttempts } = this.#options;
    if (this.#attempts >= maxAttempts) return undefined;
    const delay = Math.min(maxDelay, initialDelay * factor ** this.#attempts++);
    return delay === Infinity ? delay : delay * (1 - jitter * Math.random());
  }

  /** Starts again with the first delay, after a success. */
  reset(): void {
    this.#attempts = 0;
  }
}
