interface Read<Result> {
  readonly running: Promise<Result>;
  /** The read that begins once `running` has ended, for all who asked meanwhile. */
  next: Promise<Result> | undefined;
}

/**
 * Shares reads of the same name. Whoever asks while such a read is running waits for the next one:
 * nobody is given what was read before they asked.
 */
export class SharedReads<Result> {
  readonly #reads = new Map<string, Read<Result>>();

  /** What `read` gives, called after this call began. The result is shared: do not change it. */
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
