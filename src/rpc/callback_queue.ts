import type { Callback } from "../dnode/scrub.ts";
import type { InFlight } from "./in_flight.ts";

interface Invocation {
  readonly callback: Callback;
  readonly args: readonly unknown[];
  /** The size of the message that contained it. */
  readonly bytes: number;
}

/** Options of a {@linkcode CallbackQueue}. */
export interface CallbackQueueOptions {
  /** {@linkcode Limits.queuedCallbacks} */
  readonly limit: number;
  /** Counts the bytes of running and waiting invocations. */
  readonly inFlight: InFlight;
  /** Whether to start each callback without waiting for the previous one. */
  readonly concurrent: boolean;
  /** Receives what a callback threw. It must not throw. */
  readonly onError: (error: unknown) => void;
}

/**
 * Invokes callbacks in order. A callback runs immediately, unless a previous one has returned a
 * promise that is still pending. In that case it waits, or runs at the same time if callbacks are
 * concurrent.
 */
export class CallbackQueue {
  readonly #options: CallbackQueueOptions;
  #waiting: Invocation[] = [];
  /** Waiting invocations that are next, in reverse order. */
  #batch: Invocation[] = [];
  /** The number of waiting invocations; with concurrent callbacks, of running ones. */
  #count = 0;
  #busy = false;

  constructor(options: CallbackQueueOptions) {
    this.#options = options;
  }

  /**
   * Invokes a callback, immediately or after the previous ones.
   *
   * @returns false if too many are running or waiting
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

  /** Discards the waiting invocations. */
  clear(): void {
    for (const { bytes } of this.#waiting) this.#options.inFlight.remove(bytes);
    this.#waiting = [];
    // The rest of the current batch is discarded, too.
    for (const { bytes } of this.#batch) this.#options.inFlight.remove(bytes);
    this.#batch = [];
    if (!this.#options.concurrent) this.#count = 0;
  }

  /** Runs a callback. Returns its promise, or undefined if it has finished. */
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

  /**
   * Takes the next waiting invocation. Uses two arrays and `pop`, since `shift` moves all elements.
   */
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
