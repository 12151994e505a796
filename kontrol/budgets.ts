import { KiteError } from "../src/protocol/errors.ts";
import type { CounterName, Metrics } from "./metrics.ts";
import { RoundRobin } from "./round_robin.ts";
import { FairScheduler } from "./fair_scheduler.ts";

/** What one user may use of a Kontrol at the same time. Further requests are refused. */
export interface BudgetOptions {
  /**
   * Kites of one user that keep themselves known at this Kontrol. Further registrations fail with
   * `limitError`.
   * @default 50_000
   */
  readonly registrations?: number;
  /**
   * Queries, token requests and registrations of one user that run at once. Further ones fail with
   * `requestLimitError`.
   * @default 4_096
   */
  readonly calls?: number;
  /**
   * Watches of one user. Further ones fail with `limitError`.
   *
   * @default 1_024
   */
  readonly watches?: number;
  /**
   * Lists of one user's watches that are not taken to their end yet. Further ones fail with
   * `limitError`.
   * @default 16
   */
  readonly lists?: number;
  /**
   * Token signatures of one user that wait or run. Requests that need more fail with
   * `requestLimitError`.
   * @default 16_384
   */
  readonly signatures?: number;
  /**
   * Tokens signed at the same time for all users together; waiting users are served in turn.
   * @default 2
   */
  readonly concurrentSignatures?: number;
}

const DEFAULTS: Required<BudgetOptions> = Object.freeze({
  registrations: 50_000,
  calls: 4_096,
  watches: 1_024,
  lists: 16,
  signatures: 16_384,
  concurrentSignatures: 2,
});

/** Counts what each user has of one kind, up to a limit. */
export class Allowance {
  readonly #most: number;
  readonly #refuse: (user: string) => KiteError;
  readonly #byUser = new Map<string, number>();

  /** @param refuse makes the error for a user who has `most` already */
  constructor(most: number, refuse: (user: string) => KiteError) {
    this.#most = most;
    this.#refuse = refuse;
  }

  /** @throws {KiteError} when the user has as many as allowed */
  check(user: string): void {
    if ((this.#byUser.get(user) ?? 0) >= this.#most) throw this.#refuse(user);
  }

  /** Counts one more, without a check. */
  add(user: string): void {
    this.#byUser.set(user, (this.#byUser.get(user) ?? 0) + 1);
  }

  /** Counts one less. */
  remove(user: string): void {
    const left = (this.#byUser.get(user) ?? 0) - 1;
    if (left > 0) this.#byUser.set(user, left);
    else this.#byUser.delete(user);
  }

  /**
   * Counts one more for as long as `work` takes.
   *
   * @throws {KiteError} as {@linkcode Allowance.check}
   */
  async during<Result>(user: string, work: () => Promise<Result>): Promise<Result> {
    this.check(user);
    this.add(user);
    try {
      return await work();
    } finally {
      this.remove(user);
    }
  }
}

/** Runs a few tasks at a time; when several users have tasks waiting, each user gets one in turn. */
export class TaskQueue {
  readonly #atOnce: number;
  readonly #waiting = new RoundRobin<() => Promise<void>>();
  #running = 0;

  /** @param atOnce tasks that run at the same time, at most */
  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** True if nothing waits and nothing runs. */
  get isIdle(): boolean {
    return this.#running === 0 && this.#waiting.size === 0;
  }

  /** The number of tasks that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs a task when the user's turn comes.
   *
   * @returns what it comes to
   */
  run<Result>(user: string, task: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(user, async () => {
        try {
          const result = await task();
          this.#running--;
          resolve(result);
        } catch (error) {
          this.#running--;
          reject(error);
        }
        this.#next();
      });
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#atOnce) {
      const task = this.#waiting.take();
      if (task === undefined) return;
      this.#running++;
      void task();
    }
  }
}

/** What each user may use of a Kontrol, and how users take turns. */
export class Budgets {
  readonly registrations: Allowance;
  readonly calls: Allowance;
  readonly watches: Allowance;
  readonly lists: Allowance;
  readonly signatures: Allowance;
  /** The work of calls, in short steps. */
  readonly turns: FairScheduler = new FairScheduler();
  /** The signatures of tokens. */
  readonly signing: TaskQueue;

  /** @throws {KiteError} `configError`, naming the option that is wrong */
  constructor(options: BudgetOptions, metrics: Metrics) {
    const given = { ...DEFAULTS, ...options };
    for (const [name, value] of Object.entries(given)) {
      if (!Object.hasOwn(DEFAULTS, name)) {
        const known = Object.keys(DEFAULTS).join(", ");
        throw new KiteError("configError", `Cannot use option budgets.${name}: must be ${known}`);
      }
      if (value === Infinity || (Number.isSafeInteger(value) && value >= 1)) continue;
      const reason = "must be an integer from 1 on, or Infinity";
      throw new KiteError("configError", `Cannot use ${value} as budgets.${name}: ${reason}`);
    }
    const allow = (
      budget: Exclude<keyof BudgetOptions, "concurrentSignatures">,
      type: "limitError" | "requestLimitError",
      what: string,
    ): Allowance => {
      const most = given[budget];
      const counter: CounterName = `refused_${budget}`;
      return new Allowance(most, (user) => {
        metrics.count(counter);
        const limit = `(limit: budgets.${budget})`;
        return new KiteError(type, `${user} has ${most} ${what}, at most ${most} may be ${limit}`);
      });
    };
    this.registrations = allow("registrations", "limitError", "kites registered here");
    this.calls = allow("calls", "requestLimitError", "calls running");
    this.watches = allow("watches", "limitError", "watches");
    this.lists = allow("lists", "limitError", "lists of watches that are not at their end");
    this.signatures = allow("signatures", "requestLimitError", "tokens waiting to be signed");
    this.signing = new TaskQueue(given.concurrentSignatures);
  }
}
