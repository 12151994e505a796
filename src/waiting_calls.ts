import { KiteError } from "./protocol/errors.ts";
import { timeoutError } from "./rpc/pending_calls.ts";

interface Waiter {
  resolve(): void;
  reject(error: KiteError): void;
}

/** Calls made while there is no connection; they go on when there is one. */
export class WaitingCalls {
  readonly #waiters = new Set<Waiter>();
  readonly #most: number;

  /** @param most {@linkcode Limits.waitingCalls} */
  constructor(most: number) {
    this.#most = most;
  }

  /** Calls that wait. */
  get size(): number {
    return this.#waiters.size;
  }

  /**
   * Waits for a connection.
   *
   * @param timeout milliseconds; 0 for no bound
   * @returns the milliseconds left of `timeout`; 0 if there was no bound
   */
  wait(method: string, timeout: number, signal: AbortSignal | undefined): Promise<number> {
    if (this.#waiters.size >= this.#most) {
      const reason = `not connected, and ${this.#most} calls wait already (limit: waitingCalls)`;
      return Promise.reject(new KiteError("disconnect", reason));
    }
    const start = performance.now();
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
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
      const abort = (): void =>
        waiter.reject(
          new KiteError("aborted", `the call of "${method}" was given up`, {
            cause: signal?.reason,
          }),
        );
      const timer = timeout === 0
        ? undefined
        : setTimeout(() => waiter.reject(timeoutError(method, timeout)), timeout);
      this.#waiters.add(waiter);
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets them all go on. */
  resolveAll(): void {
    for (const waiter of [...this.#waiters]) waiter.resolve();
  }

  /** Fails them all. */
  rejectAll(error: KiteError): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
