import { afterTurn } from "../src/runtime/turn.ts";
import { RoundRobin } from "./round_robin.ts";

/** Milliseconds of steps per turn of the event loop. */
const SLICE = 5;

/**
 * Shares the one thread of a Kontrol between its users. Work is cut into short synchronous steps;
 * when several users have steps waiting, each user gets one in turn. After 5 ms of steps the event
 * loop has a turn of its own, so that connections and timers are served however much work waits.
 */
export class Turns {
  readonly #waiting = new RoundRobin<() => void>();
  /** Milliseconds of steps in this turn of the event loop. */
  #used = 0;
  #isScheduled = false;

  /** The number of steps that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs a step: at once while there is time in this turn and nobody waits, otherwise when the user's
   * turn comes. A step should take at most a few milliseconds.
   *
   * @returns what the step returns; rejects with what it throws
   */
  run<Result>(user: string, step: () => Result | Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const perform = (): void => {
        const start = performance.now();
        try {
          resolve(step());
        } catch (error) {
          reject(error);
        }
        this.#used += performance.now() - start;
      };
      if (this.#used < SLICE && this.#waiting.size === 0) perform();
      else this.#waiting.push(user, perform);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterTurn(this.#next);
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#used = 0;
    while (this.#used < SLICE) {
      const perform = this.#waiting.take();
      if (perform === undefined) return;
      perform();
    }
    this.#schedule();
  };
}
