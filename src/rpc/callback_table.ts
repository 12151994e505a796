import type { Callback, FoundFunction } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";

/** Creates ids. They are never repeated, also not after a reconnect (docs/protocol.md §2). */
export class IdCounter {
  #next = 0;

  /** Returns the next id. */
  take(): number {
    return this.#next++;
  }
}

interface Entry {
  readonly callback: Callback;
  /** Its ids. A message contains each id once, so a function that occurs twice in it needs two. */
  readonly ids: number[];
  /** For each id: how often the remote received it and did not release it. */
  readonly uses: number[];
  /**
   * How often it was sent, less how often {@linkcode CallbackTable.takeBack} or `leave` ended that.
   */
  holds: number;
  /** True if the remote may still use it after its call, see {@linkcode CallbackTable.leave}. */
  isLeft: boolean;
  /** The last message that contained it, and how often. */
  message: number;
  usesInMessage: number;
}

/** Logs a warning when the table is filled to this part. */
const NEARLY_FULL = 0.8;
const NO_IDS: readonly number[] = Object.freeze([]);

/**
 * The functions that the remote of one session may call. A function that is sent again keeps its
 * id, so passing the same function in every call takes one entry.
 *
 * Remotes without the extension `release/1` never say that they no longer need a function.
 * Functions of ended calls therefore stay while there is room. The least recently used one is
 * removed first.
 */
export class CallbackTable {
  readonly #byId = new Map<number, Entry>();
  readonly #byFunction = new Map<Callback, Entry>();
  /** Entries that can be removed to make room, least recently used first. */
  readonly #left = new Set<Entry>();
  readonly #ids: IdCounter;
  readonly #most: number;
  readonly #warn: (message: string) => void;
  readonly #revoked: (ids: readonly number[]) => void;
  #message = 0;
  #hasWarned = false;

  /**
   * @param most {@linkcode Limits.callbacksPerSession}
   * @param warn called once, when the table is almost full
   * @param revoked called with the ids of functions that the remote can no longer call
   */
  constructor(
    ids: IdCounter,
    most: number,
    warn: (message: string) => void,
    revoked: (ids: readonly number[]) => void,
  ) {
    this.#revoked = revoked;
    this.#ids = ids;
    this.#most = most;
    this.#warn = warn;
  }

  /** The number of functions. */
  get size(): number {
    return this.#byId.size;
  }

  /** Returns the function with an id, which the remote calls. */
  get(id: number): Callback | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined) return undefined;
    if (this.#left.delete(entry)) this.#left.add(entry);
    return entry.callback;
  }

  /**
   * Adds functions that are sent to the remote: all, or none if it throws. They stay until
   * {@linkcode takeBack}, {@linkcode leave}, or the end of the session.
   *
   * @returns an id for each
   * @throws {KiteError} `limitError` if the table is full and none of its functions can be removed
   */
  handOut(functions: readonly FoundFunction[]): readonly number[] {
    if (functions.length === 0) return NO_IDS;
    const ids: number[] = [];
    this.#message++;
    for (const { callback } of functions) {
      const id = this.#handOutOne(callback);
      if (id === undefined) {
        this.undo(functions.slice(0, ids.length), ids);
        throw new KiteError(
          "limitError",
          `Cannot send a function: the remote holds ${this.#most} already ` +
            `(limit: callbacksPerSession); release those that it no longer needs`,
        );
      }
      ids.push(id);
    }
    this.#warnIfNearlyFull();
    return ids;
  }

  /** Undoes one {@linkcode handOut} whose message was not sent. */
  undo(functions: readonly FoundFunction[], ids: readonly number[]): void {
    ids.forEach((id, i) => {
      const { callback } = functions[i]!;
      const entry = this.#byFunction.get(callback);
      if (entry === undefined) return;
      entry.uses[entry.ids.indexOf(id)]!--;
      if (--entry.holds > 0) return;
      if (entry.isLeft) this.#left.add(entry);
      else this.forget(callback);
    });
  }

  /**
   * Counts that the remote released an id once.
   *
   * @returns the function, if the remote has released all of its ids
   */
  giveBack(id: number): Callback | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined || --entry.uses[entry.ids.indexOf(id)]! > 0) return undefined;
    if (entry.uses.some((uses) => uses > 0)) return undefined;
    this.forget(entry.callback);
    return entry.callback;
  }

  /** Ends one {@linkcode handOut} of the same functions. */
  takeBack(functions: readonly FoundFunction[]): void {
    for (const { callback } of functions) this.#unhold(callback);
  }

  /** Ends one {@linkcode handOut} of a function, which the remote may use while there is room. */
  leave(callback: Callback): void {
    const entry = this.#byFunction.get(callback);
    if (entry !== undefined) entry.isLeft = true;
    this.#unhold(callback);
  }

  /**
   * Removes a function, however often it was sent, and tells the remote.
   *
   * @returns whether it was in the table
   */
  release(callback: Callback): boolean {
    const ids = this.forget(callback);
    if (ids !== undefined) this.#revoked(ids);
    return ids !== undefined;
  }

  /**
   * Removes a function that the remote no longer needs.
   *
   * @returns its ids, if it was in the table
   */
  forget(callback: Callback): readonly number[] | undefined {
    const entry = this.#byFunction.get(callback);
    if (entry === undefined) return undefined;
    this.#byFunction.delete(callback);
    this.#left.delete(entry);
    for (const id of entry.ids) this.#byId.delete(id);
    return entry.ids;
  }

  /** Removes all functions. */
  clear(): void {
    this.#byId.clear();
    this.#byFunction.clear();
    this.#left.clear();
  }

  #unhold(callback: Callback): void {
    const entry = this.#byFunction.get(callback);
    if (entry === undefined || --entry.holds > 0) return;
    if (entry.isLeft) this.#left.add(entry);
    else this.release(callback);
  }

  /** @returns the id, or undefined if the table is full */
  #handOutOne(callback: Callback): number | undefined {
    const known = this.#byFunction.get(callback);
    const entry = known ??
      { callback, ids: [], uses: [], holds: 0, isLeft: false, message: 0, usesInMessage: 0 };
    if (entry.message !== this.#message) {
      entry.message = this.#message;
      entry.usesInMessage = 0;
    }
    if (known !== undefined) this.#left.delete(entry);
    let id = entry.ids[entry.usesInMessage];
    if (id === undefined) {
      if (!this.#makeRoom()) {
        if (entry.holds === 0 && known !== undefined) this.#left.add(entry);
        return undefined;
      }
      id = this.#ids.take();
      entry.ids.push(id);
      entry.uses.push(0);
      this.#byId.set(id, entry);
      if (known === undefined) this.#byFunction.set(callback, entry);
    }
    entry.uses[entry.usesInMessage]!++;
    entry.usesInMessage++;
    entry.holds++;
    return id;
  }

  /**
   * Removes functions of ended calls, least recently used first, until there is room.
   *
   * @returns whether there is room
   */
  #makeRoom(): boolean {
    for (const { callback } of this.#left) {
      if (this.#byId.size < this.#most) return true;
      this.release(callback);
    }
    return this.#byId.size < this.#most;
  }

  #warnIfNearlyFull(): void {
    if (this.#hasWarned || this.#byId.size < this.#most * NEARLY_FULL) return;
    this.#hasWarned = true;
    this.#warn(
      `the remote holds ${this.#byId.size} functions of at most ${this.#most} ` +
        `(limit: callbacksPerSession); release functions, or pass { callbacks: "call" }`,
    );
  }
}
