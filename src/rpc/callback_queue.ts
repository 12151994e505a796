import type { Callback } from "../dnode/scrub.ts";

interface Invocation {
  readonly callback: Callback;
  readonly args: readonly unknown[];
}

/**
 * Invokes callbacks in the order in which they came, each after the one before it has finished.
 *
 * Callbacks that return no promise run at once; only behind one that does, those that follow wait.
 */
export class CallbackQueue {
  readonly #most: number;
  readonly #onError: (error: unknown) => void;
  #waiting: Invocation[] = [];
  /** Those that the drain has begun with. */
  #batch: Invocation[] = [];
  #waitingCount = 0;
  #busy = false;

  /**
   * @param most {@linkcode Limits.queuedCallbacks}
   * @param onError hears of callbacks that threw
   */
  constructor(most: number, onError: (error: unknown) => void) {
    this.#most = most;
    this.#onError = onError;
  }

  /** Invokes a callback, now or in its turn. @returns false when the queue is full */
  invoke(callback: Callback, args: readonly unknown[]): boolean {
    if (this.#busy) {
      if (this.#waitingCount >= this.#most) return false;
      this.#waitingCount++;
      this.#waiting.push({ callback, args });
      return true;
    }
    const running = this.#run(callback, args);
    if (running !== undefined) void this.#drain(running);
    return true;
  }

  /** Forgets those that wait. */
  clear(): void {
    this.#waiting = [];
    this.#batch.length = 0;
    this.#waitingCount = 0;
  }

  /** @returns what to wait for, or undefined when it has finished */
  #run(callback: Callback, args: readonly unknown[]): Promise<unknown> | undefined {
    try {
      const outcome = callback(...args);
      return outcome instanceof Promise ? outcome : undefined;
    } catch (error) {
      this.#onError(error);
      return undefined;
    }
  }

  async #drain(first: Promise<unknown>): Promise<void> {
    this.#busy = true;
    await first.catch(this.#onError);
    while (this.#waiting.length > 0) {
      this.#batch = this.#waiting;
      this.#waiting = [];
      for (const { callback, args } of this.#batch) {
        this.#waitingCount--;
        await this.#run(callback, args)?.catch(this.#onError);
      }
    }
    this.#busy = false;
  }
}
