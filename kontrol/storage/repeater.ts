/** Runs some work again and again, a pause after each, between `start` and `stop`. */
export class Repeater {
  readonly #pause: () => number;
  readonly #work: () => Promise<void>;
  readonly #onError: (error: unknown) => void;
  // Every start is a run of its own: work that outlasts a stop does not go on in the next run.
  #run: { timer?: ReturnType<typeof setTimeout> } | undefined;

  /**
   * @param pause milliseconds, or what gives them before each pause.
   * @param onError told when the work fails; the next round comes all the same.
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

  /** Begins, with a pause first; harmless when it runs. */
  start(): void {
    if (this.#run === undefined) this.#next(this.#run = {});
  }

  /** Ends it; work under way ends by itself. */
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
