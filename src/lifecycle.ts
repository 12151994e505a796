import { KiteError } from "./protocol/errors.ts";

/**
 * Orders the start and the stop of a server, which may be called at any time: a stop waits for a start
 * that is under way, and the other way round.
 */
export class Lifecycle {
  #starting: Promise<unknown> | undefined;
  #stopping: Promise<void> | undefined;

  /**
   * Runs `start`, after a stop that is under way.
   *
   * @throws {KiteError} `configError` during another start
   */
  async start<Result>(start: () => Promise<Result>): Promise<Result> {
    if (this.#starting !== undefined) {
      throw new KiteError("configError", "Cannot listen: the last call of listen has not finished");
    }
    const starting = this.#after(this.#stopping, start);
    this.#starting = starting;
    try {
      return await starting;
    } finally {
      this.#starting = undefined;
    }
  }

  /** Runs `stop`, after a start that is under way. During another stop, it waits for that one. */
  async stop(stop: () => Promise<void>): Promise<void> {
    this.#stopping ??= this.#after(this.#starting, stop)
      .finally(() => this.#stopping = undefined);
    await this.#stopping;
  }

  /** Runs `action` at once if there is nothing to wait for. */
  async #after<Result>(
    before: Promise<unknown> | undefined,
    action: () => Promise<Result>,
  ): Promise<Result> {
    if (before !== undefined) await before.catch(() => {}); // its caller gets the error
    return await action();
  }
}
