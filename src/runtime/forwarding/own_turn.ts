/** Milliseconds for which one connection is handled before others have their turn. */
const SLICE = 2;
/** Milliseconds between two steps of one connection without anything else in between, at most. */
const SAME_TURN = 0.1;

const EMPTY = new Uint8Array(0);

/**
 * Limits how long one busy connection may run. Deno returns from reads and writes that need not wait
 * without asking the system for the events of others; it asks while it waits for another thread. A
 * timer would do as well, but takes a millisecond.
 */
export class OwnTurn {
  #began = 0;
  #last = 0;

  /**
   * Call it after each read or write that returned. True if others must have their turn now, see
   * {@linkcode letOthersRun}.
   *
   * @param asked `performance.now()` before the read or write
   */
  isOver(asked: number): boolean {
    const now = performance.now();
    if (now - asked > SAME_TURN || asked - this.#last > SLICE) this.#began = now;
    this.#last = now;
    return now - this.#began > SLICE;
  }
}

/** Gives other connections their turn. */
export async function letOthersRun(): Promise<void> {
  await crypto.subtle.digest("SHA-1", EMPTY);
}
