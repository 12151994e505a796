import type { Callback } from "../dnode/scrub.ts";

/**
 * Invokes callbacks in the order in which they came, each after the one before it has finished.
 *
 * Callbacks that return no promise run at once; only behind one that does, those that follow wait.
 */
export class CallbackQueue {
  readonly #most: number;
  readonly #onError: (error: unknown) => void;
  #waiting: { callback: Callback; args: readonly unknown[] }[] = [];
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
      if (this.#waiting.length >= this.#most) return false;
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
      const batch = this.#waiting;
      this.#waiting = [];
      for (const { callback, args } of batch) {
        await this.#run(callback, args)?.catch(this.#onError);
      }
    }
    this.#busy = false;
  }
}
