import type { Callback } from "../dnode/scrub.ts";
import type { InFlight } from "./in_flight.ts";

interface Invocation {
  readonly callback: Callback;
  readonly args: readonly unknown[];
  /** The size of the message that brought it. */
  readonly bytes: number;
}

/** How a {@linkcode CallbackQueue} works. */
export interface CallbackQueueOptions {
  /** {@linkcode Limits.queuedCallbacks} */
  readonly limit: number;
  /** Counts the bytes of invocations that run or wait. */
  readonly inFlight: InFlight;
  /** Start each callback without waiting for the one before it. */
  readonly concurrent: boolean;
  /** Is told of callbacks that threw; must not throw itself. */
  readonly onError: (error: unknown) => void;
}

/**
 * Invokes callbacks in the order in which they came, each after the one before it has finished,
 * unless they are concurrent.
 *
 * Callbacks that return no promise run at once; only behind one that does, those that follow wait.
 */
export class CallbackQueue {
  readonly #options: CallbackQueueOptions;
  #waiting: Invocation[] = [];
  /** Those that the drain has begun with. */
  #batch: Invocation[] = [];
  /** Those that wait; with concurrent callbacks, those that run. */
  #count = 0;
  #busy = false;

  constructor(options: CallbackQueueOptions) {
    this.#options = options;
  }

  /**
   * Invokes a callback, now or in its turn.
   *
   * @returns false when too many run or wait
   */
  invoke(callback: Callback, args: readonly unknown[], bytes: number): boolean {
    const { limit, inFlight, concurrent } = this.#options;
    const invocation = { callback, args, bytes };
    if (this.#busy || concurrent && this.#count > 0) {
      if (this.#count >= limit || !inFlight.hasRoom(bytes)) return false;
      if (!concurrent) {
        this.#count++;
        inFlight.add(bytes);
        this.#waiting.push(invocation);
        return true;
      }
    }
    const running = this.#run(invocation);
    if (running === undefined) return true;
    inFlight.add(bytes);
    if (concurrent) void this.#follow(running, bytes);
    else void this.#drain(running, bytes);
    return true;
  }

  /** Forgets those that wait. */
  clear(): void {
    for (const { bytes } of this.#waiting) this.#options.inFlight.remove(bytes);
    this.#waiting = [];
    // The drain finds the rest of its batch gone.
    for (const { bytes } of this.#batch) this.#options.inFlight.remove(bytes);
    this.#batch = [];
    if (!this.#options.concurrent) this.#count = 0;
  }

  /** @returns what to wait for, or undefined when it has finished */
  #run({ callback, args }: Invocation): Promise<unknown> | undefined {
    try {
      const outcome = callback(...args);
      return outcome instanceof Promise ? outcome : undefined;
    } catch (error) {
      this.#options.onError(error);
      return undefined;
    }
  }

  async #follow(running: Promise<unknown>, bytes: number): Promise<void> {
    this.#count++;
    await running.catch(this.#options.onError);
    this.#count--;
    this.#options.inFlight.remove(bytes);
  }

  async #drain(first: Promise<unknown>, bytes: number): Promise<void> {
    const { inFlight, onError } = this.#options;
    this.#busy = true;
    await first.catch(onError);
    inFlight.remove(bytes);
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      const running = this.#run(next);
      await running?.catch(onError);
      inFlight.remove(next.bytes);
    }
    this.#busy = false;
  }

  /** Takes the next that waits. Two stacks instead of `shift`, which moves all that follow. */
  #next(): Invocation | undefined {
    if (this.#batch.length === 0) {
      this.#batch = this.#waiting.reverse();
      this.#waiting = [];
    }
    const next = this.#batch.pop();
    if (next !== undefined) this.#count--;
    return next;
  }
}
