import { KiteError } from "./protocol/errors.ts";

/** How long to wait between tries to reconnect. */
export interface BackoffOptions {
  /** Milliseconds before the first retry. @default 100 */
  readonly initialDelay?: number;
  /** Each delay is this many times the one before. @default 1.7 */
  readonly factor?: number;
  /** Milliseconds that no delay exceeds. @default 15_000 */
  readonly maxDelay?: number;
  /** The share of each delay, 0 to 1, that chance may take off, so that a crowd does not return at once. @default 0.5 */
  readonly jitter?: number;
  /** Retries before giving up. @default Infinity */
  readonly maxAttempts?: number;
}

/** The delays between tries: exponential, with jitter. */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #attempts = 0;

  /** @throws {KiteError} `configError` that names the option which makes no sense */
  constructor(options: BackoffOptions = {}) {
    this.#options = {
      initialDelay: 100,
      factor: 1.7,
      maxDelay: 15_000,
      jitter: 0.5,
      maxAttempts: Infinity,
      ...options,
    };
    const { initialDelay, factor, maxDelay, jitter, maxAttempts } = this.#options;
    check("initialDelay", initialDelay >= 1, initialDelay, "at least 1 ms");
    check("factor", factor >= 1, factor, "at least 1");
    check("maxDelay", maxDelay >= 1 && maxDelay < 2 ** 31, maxDelay, "1 to 2,147,483,647 ms");
    check("jitter", jitter >= 0 && jitter <= 1, jitter, "0 to 1");
    check("maxAttempts", maxAttempts >= 0, maxAttempts, "at least 0");
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
    return delay * (1 - jitter * Math.random());
  }

  /** Begins anew, after a success. */
  reset(): void {
    this.#attempts = 0;
  }
}

function check(name: string, isRight: boolean, value: number, right: string): void {
  if (isRight) return;
  throw new KiteError("configError", `backoff.${name}: ${value} is not right; give ${right}`);
}
