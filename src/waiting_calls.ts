import { KiteError } from "./protocol/errors.ts";
import { abortedError } from "./rpc/calls_out.ts";
import { timeoutError } from "./rpc/pending_calls.ts";
import { Timer } from "./runtime/timer.ts";

interface Waiter {
  resolve(): void;
  reject(error: KiteError): void;
}

/** Calls that wait for a connection. */
export class WaitingCalls {
  readonly #waiters = new Set<Waiter>();
  readonly #most: number;
  readonly #whyNotConnected: () => KiteError;

  /**
   * @param most {@linkcode Limits.waitingCalls}
   * @param whyNotConnected makes the error of calls that can no longer wait
   */
  constructor(most: number, whyNotConnected: () => KiteError) {
    this.#most = most;
    this.#whyNotConnected = whyNotConnected;
  }

  /** Number of waiting calls. */
  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Waits for a connection.
   *
   * @param timeout milliseconds; 0 waits without a limit
   * @returns the milliseconds left of `timeout`, or 0 without a limit
   * @throws {KiteError} `timeout`, `aborted`; `disconnect` if there will be no connection, or if too many
   * calls wait
   */
  wait(method: string, timeout: number, signal: AbortSignal | undefined): Promise<number> {
    if (this.#waiters.size >= this.#most) {
      const reason = `not connected, and ${this.#most} calls wait already (limit: waitingCalls)`;
      return Promise.reject(new KiteError("disconnect", reason));
    }
    const start = performance.now();
    return new Promise((resolve, reject) => {
      const done = (): void => {
        timer.clear();
        signal?.removeEventListener("abort", abort);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        resolve: () => {
          done();
          resolve(timeout === 0 ? 0 : Math.max(1, timeout - (performance.now() - start)));
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const abort = (): void => waiter.reject(abortedError(method, signal!));
      const timer = new Timer(
        () => waiter.reject(this.#timedOut(method, timeout)),
        timeout === 0 ? Infinity : timeout,
      );
      this.#waiters.add(waiter);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets all waiting calls continue. */
  resolveAll(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  /** Rejects all waiting calls. */
  rejectAll(): void {
    for (const waiter of [...this.#waiters]) waiter.reject(this.#whyNotConnected());
  }

  #timedOut(method: string, timeout: number): KiteError {
    const why = this.#whyNotConnected();
    const { message } = timeoutError(method, timeout);
    return new KiteError("timeout", `${message}: ${why.message}`, { cause: why.cause });
  }
}
