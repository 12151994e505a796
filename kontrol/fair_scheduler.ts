import { afterTurn } from "../src/runtime/turn.ts";
import { RoundRobin } from "./round_robin.ts";

/** Milliseconds of steps in one turn of the event loop, while steps wait. */
const SLICE = 5;

/** Milliseconds of steps in one turn after which even a user who asks for little has to wait. */
const LONGEST = 15;

/** Milliseconds of one turn that are little for one user. */
const LITTLE = 1;

/**
 * Shares the one thread of a Kontrol between its users. Work is cut into short synchronous steps;
 * when several users have steps waiting, each user gets one in turn, and a user who asks for little
 * does not wait behind those who ask for much. After 5 ms of steps the event loop has a turn of its
 * own, so that connections and timers are served however much work waits.
 */
export class FairScheduler {
  readonly #waiting = new RoundRobin<() => void>();
  /** Milliseconds of steps in this turn of the event loop. */
  #used = 0;
  /** The same by user, while steps wait. */
  readonly #usedBy = new Map<string, number>();
  #isScheduled = false;
  readonly #now: () => number;

  /** @param now the clock, milliseconds from any start */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

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
      if (this.#mayRunAtOnce(user)) perform();
      else this.#waiting.push(user, perform);
      this.#schedule();
    });
  }

  #mayRunAtOnce(user: string): boolean {
    if (this.#waiting.size === 0) return this.#used < SLICE;
    return this.#used < LONGEST && !this.#waiting.has(user) &&
      (this.#usedBy.get(user) ?? 0) < LITTLE;
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
