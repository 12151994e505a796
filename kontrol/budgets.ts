import { checkNames } from "../src/config_values.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { cannotUse } from "../src/protocol/refusal.ts";
import type { CounterName, Metrics } from "./metrics.ts";
import { RoundRobin } from "./round_robin.ts";
import { FairScheduler } from "./fair_scheduler.ts";

/** Limits per user. Requests beyond a limit are rejected. */
export interface BudgetOptions {
  /**
   * Kites of one user that send heartbeats to this Kontrol. Further registrations fail with
   * `limitError`.
   *
   * @default 50_000
   */
  readonly registrations?: number;
  /**
   * Concurrent queries, token requests and registrations of one user. Further ones fail with
   * `requestLimitError`.
   *
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
   * Watches of one user with unread pages. Further ones fail with `limitError`.
   *
   * @default 16
   */
  readonly lists?: number;
  /**
   * Waiting and running token signatures of one user. Requests that need more fail with
   * `requestLimitError`.
   *
   * @default 16_384
   */
  readonly signatures?: number;
  /**
   * Concurrent token signatures of all users; waiting users are served in turn.
   *
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

/** A limit per user on one kind of resource. */
export class Allowance {
  readonly #most: number;
  readonly #refuse: (user: string) => KiteError;
  readonly #byUser = new Map<string, number>();

  /** @param refuse creates the error for a user who has reached the limit */
  constructor(most: number, refuse: (user: string) => KiteError) {
    this.#most = most;
    this.#refuse = refuse;
  }

  /** @throws {KiteError} if the user has reached the limit */
  check(user: string): void {
    if ((this.#byUser.get(user) ?? 0) >= this.#most) throw this.#refuse(user);
  }

  /** Adds one, without a check. */
  add(user: string): void {
    this.#byUser.set(user, (this.#byUser.get(user) ?? 0) + 1);
  }

  /** Removes one. */
  remove(user: string): void {
    const left = (this.#byUser.get(user) ?? 0) - 1;
    if (left > 0) this.#byUser.set(user, left);
    else this.#byUser.delete(user);
  }

  /**
   * Counts one more while `work` runs.
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

/** Runs a limited number of tasks at a time, one of each waiting user in turn. */
export class TaskQueue {
  readonly #concurrency: number;
  readonly #waiting = new RoundRobin<() => Promise<void>>();
  #running = 0;

  /** @param concurrency maximum number of running tasks */
  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** True if no task is waiting or running. */
  get isIdle(): boolean {
    return this.#running === 0 && this.#waiting.size === 0;
  }

  /** The number of waiting tasks. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Runs a task when the user's turn comes.
   *
   * @returns the result of the task
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
    while (this.#running < this.#concurrency) {
      const task = this.#waiting.take();
      if (task === undefined) return;
      this.#running++;
      void task();
    }
  }
}

/** The limits per user, and the queues in which users take turns. */
export class Budgets {
  readonly registrations: Allowance;
  readonly calls: Allowance;
  readonly watches: Allowance;
  readonly lists: Allowance;
  readonly signatures: Allowance;
  /** Runs the steps of calls. */
  readonly scheduler: FairScheduler = new FairScheduler();
  /** Runs the signatures of tokens. */
  readonly signing: TaskQueue;

  /** @throws {KiteError} `configError`, naming the option that is wrong */
  constructor(options: BudgetOptions, metrics: Metrics) {
    const given = checkNames("budgets", options, Object.keys(DEFAULTS));
    for (const [name, value] of Object.entries(given)) {
      if (value === Infinity || (Number.isSafeInteger(value) && (value as number) >= 1)) continue;
      const rule = "must be an integer of at least 1, or Infinity";
      throw cannotUse(`budgets.${name}`, rule, { value });
    }
    const limits: Required<BudgetOptions> = { ...DEFAULTS, ...given };
    const allow = (
      budget: Exclude<keyof BudgetOptions, "concurrentSignatures">,
      type: "limitError" | "requestLimitError",
      action: string,
    ): Allowance => {
      const limit = limits[budget];
      const counter: CounterName = `refused_${budget}`;
      return new Allowance(limit, (user) => {
        metrics.count(counter);
        const reason = `${user} has reached the limit of ${limit} (budgets.${budget})`;
        return new KiteError(type, `Cannot ${action}: ${reason}`);
      });
    };
    this.registrations = allow("registrations", "limitError", "register another kite");
    this.calls = allow("calls", "requestLimitError", "run another call");
    this.watches = allow("watches", "limitError", "start another watch");
    this.lists = allow("lists", "limitError", "start another watch with pages");
    this.signatures = allow("signatures", "requestLimitError", "sign another token");
    this.signing = new TaskQueue(limits.concurrentSignatures);
  }
}
