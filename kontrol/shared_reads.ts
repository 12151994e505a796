interface Read<Result> {
  readonly running: Promise<Result>;
  /** The read that starts after `running`, shared by all calls made meanwhile. */
  next: Promise<Result> | undefined;
}

/**
 * Shares reads between concurrent calls with the same name. A call during a running read waits for the
 * next one, so that no result is older than the call.
 */
export class SharedReads<Result> {
  readonly #reads = new Map<string, Read<Result>>();

  /**
   * Returns the result of a `read` that starts after this call. Do not modify the result, since it is
   * shared.
   */
  get(name: string, read: () => Promise<Result>): Promise<Result> {
    const known = this.#reads.get(name);
    if (known === undefined) return this.#begin(name, read);
    const begin = (): Promise<Result> => this.#begin(name, read);
    return known.next ??= known.running.then(begin, begin);
  }

  #begin(name: string, start: () => Promise<Result>): Promise<Result> {
    const running = start();
    const read: Read<Result> = { running, next: undefined };
    this.#reads.set(name, read);
    const end = (): void => {
      if (this.#reads.get(name) === read) this.#reads.delete(name);
    };
    running.then(end, end);
    return running;
  }
}
