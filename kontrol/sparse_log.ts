/** Lines of one interval, at most. */
const MOST_LINES = 10;

/** Milliseconds of one interval. */
const INTERVAL = 10_000;

/**
 * Writes at most ten lines in ten seconds, and then how many more there were: what strangers cause
 * must not fill a log.
 */
export class SparseLog implements Disposable {
  readonly #write: (text: string) => void;
  #lines = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  /** Writes a line, or counts it. */
  say(text: string): void {
    this.#timer ??= setTimeout(() => this.#end(), INTERVAL);
    if (++this.#lines <= MOST_LINES) this.#write(text);
  }

  /** Writes what was only counted so far. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#end();
  }

  #end(): void {
    const unwritten = this.#lines - MOST_LINES;
    this.#lines = 0;
    this.#timer = undefined;
    if (unwritten > 0) this.#write(`… ${unwritten} more like these`);
  }
}
