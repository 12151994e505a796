import { checkOptions, checkRange, type Checks, checkWait } from "./config_values.ts";

/** How long to wait between tries to reconnect. */
export interface BackoffOptions {
  /**
   * Milliseconds before the first retry.
   *
   * @default 100
   */
  readonly initialDelay?: number;
  /**
   * Each delay is this many times the one before.
   *
   * @default 1.7
   */
  readonly factor?: number;
  /**
   * Milliseconds that no delay exceeds.
   *
   * @default 15_000
   */
  readonly maxDelay?: number;
  /**
   * The share of each delay, 0 to 1, that may be taken off at random, so that many clients do not
   * return at once.
   * @default 0.5
   */
  readonly jitter?: number;
  /**
   * Retries before giving up.
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

/** The delays between tries: exponential, with jitter. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #attempts = 0;

  /** @throws {KiteError} `configError` that names the option which cannot be used */
  constructor(options: BackoffOptions = {}) {
    this.#options = { ...DEFAULTS, ...checkBackoff("backoff", options) };
  }

  /** Tries counted since the last {@linkcode Backoff.reset}. */
  get attempts(): number {
    return this.#attempts;
  }

  /** The next delay in milliseconds, or undefined when it is time to give up. */
  next(): number | undefined {
    const { initialDelay, factor, maxDelay, jitter, maxAttempts } = this.#options;
    if (this.#attempts >= maxAttempts) return undefined;
    const delay = Math.min(maxDelay, initialDelay * factor ** this.#attempts++);
    return delay === Infinity ? delay : delay * (1 - jitter * Math.random());
  }

  /** Begins anew, after a success. */
  reset(): void {
    this.#attempts = 0;
  }
}
