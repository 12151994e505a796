import { afterTurn } from "../src/runtime/turn.ts";
import { RoundRobin } from "./round_robin.ts";

/** Milliseconds of steps per turn of the event loop while steps are waiting. */
const SLICE = 5;

/** Milliseconds of steps per turn after which light users must wait, too. */
const MAX_SLICE = 15;

/** A user is light if its steps took less than this many milliseconds in the current turn. */
const LIGHT = 1;

/**
 * Shares Kontrol's single thread fairly between its users. Work is split into short synchronous
 * steps. If several users have waiting steps, each runs one in turn; light users do not wait behind
 * heavy ones. After 5 ms of steps the event loop gets a turn, so that connections and timers are
 * served under any load.
 */
export class FairScheduler {
  readonly #waiting = new RoundRobin<() => void>();
  /** Milliseconds of steps in the current turn of the event loop. */
  #used = 0;
  /** The same by user, recorded while steps are waiting. */
  readonly #usedBy = new Map<string, number>();
  #isScheduled = false;
  readonly #now: () => number;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The number of waiting steps. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs a step: immediately if there is time left in this turn and nothing is waiting, otherwise in
   * turn. A step should take at most a few milliseconds.
   *
   * @returns the result of the step; rejects with what it throws
   */
  run<Result>(user: string, step: () => Result | Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      const perform = (): void => {
        const start = this.#now();
        try {
          resolve(step());
        } catch (error) {
          reject(error);
        }
        const time = this.#now() - start;
        this.#used += time;
        if (this.#waiting.size > 0) this.#usedBy.set(user, (this.#usedBy.get(user) ?? 0) + time);
      };
      if (this.#mayRunNow(user)) perform();
      else this.#waiting.push(user, perform);
      this.#schedule();
    });
  }

  #mayRunNow(user: string): boolean {
    if (this.#waiting.size === 0) return this.#used < SLICE;
    return this.#used < MAX_SLICE && !this.#waiting.has(user) &&
      (this.#usedBy.get(user) ?? 0) < LIGHT;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    afterTurn(this.#next);
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    this.#used = 0;
    this.#usedBy.clear();
    while (this.#used < SLICE) {
      const perform = this.#waiting.take();
      if (perform === undefined) return;
      perform();
    }
    this.#schedule();
  };
}
