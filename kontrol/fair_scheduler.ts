import { afterTurn } from "../src/runtime/turn.ts";
import { RoundRobin } from "./round_robin.ts";

/** Milliseconds of steps per turn of the event loop while steps are waiting. */
const SLICE = 2;

/** Milliseconds of steps per turn after which light users must wait, too. */
const MAX_SLICE = 10;

/**
 * Milliseconds of steps after which Kontrol looks at the network before the next one. While immediates
 * are due, Deno asks the system for events only in about every 60th turn; it always does when it waits
 * for a timer.
 */
const POLL_AFTER = 8;

/** A user is light if its steps took less than this many milliseconds since the last look. */
const LIGHT = 1;

/**
 * Shares Kontrol's single thread fairly between its users. Work is split into short synchronous
 * steps. If several users have waiting steps, each runs one in turn; light users do not wait behind
 * heavy ones. After 2 ms of steps the event loop gets a turn, so that connections and timers are
 * served under any load.
 */
export class FairScheduler {
  readonly #waiting = new RoundRobin<() => void>();
  /** Milliseconds of steps in the current turn of the event loop. */
  #used = 0;
  /** Milliseconds of steps since the last look at the network. */
  #usedSincePoll = 0;
  /** The same by user; of few users, since steps wait when the time is used up. */
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
   * @param following milliseconds of work that the step causes right after it
   * @returns the result of the step; rejects with what it throws
   */
  run<Result>(
    user: string,
    step: () => Result | Promise<Result>,
    following = 0,
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      const perform = (): void => {
        const start = this.#now();
        try {
          resolve(step());
        } catch (error) {
          reject(error);
        }
        const time = this.#now() - start + following;
        this.#used += time;
        this.#usedSincePoll += time;
        if (time > 0) this.#usedBy.set(user, (this.#usedBy.get(user) ?? 0) + time);
      };
      if (this.#mayRunNow(user)) perform();
      else this.#waiting.push(user, perform);
      this.#schedule();
    });
  }

  #mayRunNow(user: string): boolean {
    if (this.#waiting.size === 0 && this.#used < SLICE && !this.#mustPoll) return true;
    // Many light users, too, must let Kontrol look at the network.
    return this.#used < MAX_SLICE && this.#usedSincePoll < POLL_AFTER + MAX_SLICE &&
      !this.#waiting.has(user) && (this.#usedBy.get(user) ?? 0) < LIGHT;
  }

  get #mustPoll(): boolean {
    return this.#usedSincePoll >= POLL_AFTER;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (this.#waiting.size === 0 || !this.#mustPoll) return afterTurn(this.#next);
    setTimeout(() => {
      this.#usedSincePoll = 0;
      this.#usedBy.clear();
      this.#next();
    }, 0);
  }

  readonly #next = (): void => {
    this.#isScheduled = false;
    if (this.#waiting.size > 0 && this.#mustPoll) return this.#schedule();
    this.#used = 0;
    let perform: (() => void) | undefined;
    while (this.#used < SLICE && (perform = this.#waiting.take()) !== undefined) perform();
    if (this.#used > 0) this.#schedule();
  };
}
