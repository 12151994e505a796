/** Runs work repeatedly between `start` and `stop`, with a pause before each run. */
export class Repeater {
  readonly #pause: () => number;
  readonly #work: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  // A new object per start, so that work that outlasts `stop` does not continue after a restart.
  #run: { timer?: ReturnType<typeof setTimeout> } | undefined;

  /**
   * @param pause milliseconds, or a function that returns them before each run
   * @param onError receives what the work threw; the next run still takes place
   */
  constructor(
    pause: number | (() => number),
    work: () => Promise<void>,
    onError: (error: unknown) => void,
  ) {
    this.#pause = typeof pause === "number" ? () => pause : pause;
    this.#work = work;
    this.#onError = onError;
  }

  /** True between `start` and `stop`. */
  get isRunning(): boolean {
    return this.#run !== undefined;
  }

  /** Starts the runs. Idempotent. */
  start(): void {
    if (this.#run === undefined) this.#next(this.#run = {});
  }

  /** Stops after the current run, if any. */
  stop(): void {
    clearTimeout(this.#run?.timer);
    this.#run = undefined;
  }

  #next(run: { timer?: ReturnType<typeof setTimeout> }): void {
    run.timer = setTimeout(async () => {
      try {
        await this.#work();
      } catch (error) {
        this.#onError(error);
      }
      if (run === this.#run) this.#next(run);
    }, this.#pause());
  }
}
