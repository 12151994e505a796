import { afterTurn } from "../src/runtime/turn.ts";
import { RoundRobin } from "./round_robin.ts";

/** Milliseconds of steps per turn of the event loop while steps are waiting. */
const SLICE = 1;

/** Milliseconds of steps in a round, in which the time of each user is counted. */
const ROUND = 8;

/** A user is light if its steps have taken less than this many milliseconds in the round. */
const LIGHT = 1;

/** Milliseconds of steps of light users in a round after which light users must wait, too. */
const MAX_LIGHT = 10;

/**
 * Shares Kontrol's single thread fairly between its users. Work is split into short synchronous
 * steps. If several users have waiting steps, each runs one in turn; light users do not wait behind
 * heavy ones. After 1 ms of steps the event loop gets a turn, so that connections and timers are
 * served under any load.
 */
export class FairScheduler {
  readonly #waiting = new RoundRobin<() => void>();
  /** Milliseconds of steps in the current turn of the event loop. */
  #used = 0;
  /** Milliseconds of steps in the current round, by user and of those that did not wait. */
  readonly #usedBy = new Map<string, number>();
  #usedInRound = 0;
  #usedByLight = 0;
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
   * @param following milliseconds of work that the step causes right after it
   * @returns the result of the step; rejects with what it throws
   */
  run<Result>(
    user: string,
    step: () => Result | Promise<Result>,
    following = 0,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const perform = (): number => {
        const start = this.#now();
        try {
          resolve(step());
        } catch (error) {
          reject(error);
        }
        const time = this.#now() - start + following;
        this.#used += time;
        this.#usedInRound += time;
        if (time > 0) this.#usedBy.set(user, (this.#usedBy.get(user) ?? 0) + time);
        return time;
      };
      if (this.#waiting.size === 0 && this.#used < SLICE) perform();
      else if (this.#isLight(user)) this.#usedByLight += perform();
      else this.#waiting.push(user, perform);
      this.#schedule();
    });
  }

  /** True for a user who need not wait. There may be many of them. */
  #isLight(user: string): boolean {
    return this.#usedByLight < MAX_LIGHT && !this.#waiting.has(user) &&
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
    if (this.#usedInRound >= ROUND) {
      this.#usedInRound = this.#usedByLight = 0;
      this.#usedBy.clear();
    }
    let perform: (() => void) | undefined;
    while (this.#used < SLICE && (perform = this.#waiting.take()) !== undefined) perform();
    if (this.#used > 0) this.#schedule();
  };
}
