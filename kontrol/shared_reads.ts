interface Read<Result> {
  readonly running: Promise<Result>;
  hasStarted: boolean;
  /** The read that starts after `running`, shared by all calls made meanwhile. */
  next: Promise<Result> | undefined;
}

/**
 * Shares reads between concurrent calls with the same name. A call during a running read waits for the
 * next one, so that no result is older than the call.
 */
export class SharedReads<Result> {
  readonly #reads = new Map<string, Read<Result>>();
  readonly #delay: ((start: () => void) => void) | undefined;

  /** @param delay calls `start` later; the calls made until then share one read */
  constructor(delay?: (start: () => void) => void) {
    this.#delay = delay;
  }

  /**
   * Returns the result of a `read` that starts after this call. Do not modify the result, since it is
   * shared.
   */
  get(name: string, read: () => Promise<Result>): Promise<Result> {
    const known = this.#reads.get(name);
    if (known === undefined) return this.#begin(name, read);
    if (!known.hasStarted) return known.running;
    const begin = (): Promise<Result> => this.#begin(name, read);
    return known.next ??= known.running.then(begin, begin);
  }

  #begin(name: string, start: () => Promise<Result>): Promise<Result> {
    const delay = this.#delay;
    const running = delay === undefined ? start() : new Promise<void>(delay).then(() => {
      read.hasStarted = true;
      return start();
    });
    const read: Read<Result> = { running, hasStarted: delay === undefined, next: undefined };
    this.#reads.set(name, read);
    const end = (): void => {
      if (this.#reads.get(name) === read) this.#reads.delete(name);
    };
    running.then(end, end);
    return running;
  }
}
