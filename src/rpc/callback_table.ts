import type { Callback, FoundFunction } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";

/** Counts up over the whole life of its owner, across reconnects (docs/protocol.md §2). */
export class IdCounter {
  #next = 0;

  /** The next unused id. */
  take(): number {
    return this.#next++;
  }
}

interface Entry {
  /** A message holds an id once: a function that stands in it twice goes under two. */
  readonly ids: number[];
  /** How many unfinished or finished calls handed it out and did not take it back. */
  uses: number;
  /** The last message that handed it out, and how often that one did. */
  message: number;
  usesInMessage: number;
}

const NO_IDS: readonly number[] = Object.freeze([]);

/**
 * The functions that the remote of one session may call. A function handed out again keeps its id,
 * so passing the same function in every call costs one entry.
 */
export class CallbackTable {
  readonly #byId = new Map<number, Callback>();
  readonly #byFunction = new Map<Callback, Entry>();
  readonly #ids: IdCounter;
  readonly #most: number;
  #message = 0;

  /** @param most {@linkcode Limits.callbacksPerSession} */
  constructor(ids: IdCounter, most: number) {
    this.#ids = ids;
    this.#most = most;
  }

  /** Functions in the table. */
  get size(): number {
    return this.#byId.size;
  }

  /** The function with an id. */
  get(id: number): Callback | undefined {
    return this.#byId.get(id);
  }

  /**
   * Hands functions out, all or none.
   *
   * @throws {KiteError} `limitError` when the table is full
   */
  handOut(functions: readonly FoundFunction[]): readonly number[] {
    if (functions.length === 0) return NO_IDS;
    const ids: number[] = [];
    this.#message++;
    for (const { callback } of functions) {
      const id = this.#handOutOne(callback);
      if (id === undefined) {
        this.takeBack(functions.slice(0, ids.length));
        throw new KiteError(
          "limitError",
          `the remote holds ${this.#most} functions already (limit: callbacksPerSession); ` +
            `release those it no longer needs`,
        );
      }
      ids.push(id);
    }
    return ids;
  }

  /** Undoes one {@linkcode handOut} of the same functions. */
  takeBack(functions: readonly FoundFunction[]): void {
    for (const { callback } of functions) {
      const entry = this.#byFunction.get(callback);
      if (entry !== undefined && --entry.uses <= 0) this.release(callback);
    }
  }

  /** Forgets a function, however often it was handed out. @returns whether it was there */
  release(callback: Callback): boolean {
    const entry = this.#byFunction.get(callback);
    if (entry === undefined) return false;
    this.#byFunction.delete(callback);
    for (const id of entry.ids) this.#byId.delete(id);
    return true;
  }

  /** Forgets all. */
  clear(): void {
    this.#byId.clear();
    this.#byFunction.clear();
  }

  /** @returns undefined when the table is full */
  #handOutOne(callback: Callback): number | undefined {
    const known = this.#byFunction.get(callback);
    const entry = known ?? { ids: [], uses: 0, message: 0, usesInMessage: 0 };
    if (entry.message !== this.#message) {
      entry.message = this.#message;
      entry.usesInMessage = 0;
    }
    let id = entry.ids[entry.usesInMessage];
    if (id === undefined) {
      if (this.#byId.size >= this.#most) return undefined;
      id = this.#ids.take();
      entry.ids.push(id);
      this.#byId.set(id, callback);
      if (known === undefined) this.#byFunction.set(callback, entry);
    }
    entry.usesInMessage++;
    entry.uses++;
    return id;
  }
}
