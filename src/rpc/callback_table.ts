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
  readonly callback: Callback;
  /** A message holds an id once: a function that stands in it twice goes under two. */
  readonly ids: number[];
  /** How many functions the remote made of each id and did not give back. */
  readonly uses: number[];
  /** Times that it was handed out and neither taken back nor left to the remote. */
  holds: number;
  /** The remote was left a use of it, see {@linkcode CallbackTable.leave}. */
  isLeft: boolean;
  /** The last message that handed it out, and how often that one did. */
  message: number;
  usesInMessage: number;
}

/** The part of the table's size at which the owner is warned. */
const NEARLY_FULL = 0.8;
const NO_IDS: readonly number[] = Object.freeze([]);

/**
 * The functions that the remote of one session may call. A function handed out again keeps its id,
 * so passing the same function in every call costs one entry.
 *
 * The protocol has no message by which a remote gives a function back. So functions of calls that
 * ended are left to it while there is room: of these, the one unused longest makes room for others.
 */
export class CallbackTable {
  readonly #byId = new Map<number, Entry>();
  readonly #byFunction = new Map<Callback, Entry>();
  /** What may make room, unused longest first. */
  readonly #left = new Set<Entry>();
  readonly #ids: IdCounter;
  readonly #most: number;
  readonly #warn: (message: string) => void;
  readonly #revoked: (ids: readonly number[]) => void;
  #message = 0;
  #hasWarned = false;

  /**
   * @param most {@linkcode Limits.callbacksPerSession}
   * @param warn is told once, before the table is full
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

  /** Functions in the table. */
  get size(): number {
    return this.#byId.size;
  }

  /** The function with an id, for the remote to call now. */
  get(id: number): Callback | undefined {
    const entry = this.#byId.get(id);
    if (entry === undefined) return undefined;
    if (this.#left.delete(entry)) this.#left.add(entry);
    return entry.callback;
  }

  /**
   * Hands functions out, all or none. Each is held until {@linkcode takeBack} or
   * {@linkcode leave}, or for the whole session.
   *
   * @throws {KiteError} `limitError` when the table is full of functions that are held
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
          `the remote holds ${this.#most} functions already (limit: callbacksPerSession); ` +
            `release those it no longer needs`,
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
   * The remote no longer needs one of the functions that it made of an id.
   *
   * @returns the function, if the remote holds it no more
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

  /** Ends one {@linkcode handOut} of a function, and leaves it to the remote while there is room. */
  leave(callback: Callback): void {
    const entry = this.#byFunction.get(callback);
    if (entry !== undefined) entry.isLeft = true;
    this.#unhold(callback);
  }

  /**
   * Takes a function back, however often it was handed out: the remote is told.
   *
   * @returns whether it was there
   */
  release(callback: Callback): boolean {
    const ids = this.forget(callback);
    if (ids !== undefined) this.#revoked(ids);
    return ids !== undefined;
  }

  /**
   * Forgets a function that the remote does not need any more.
   *
   * @returns its ids, if it was there
   */
  forget(callback: Callback): readonly number[] | undefined {
    const entry = this.#byFunction.get(callback);
    if (entry === undefined) return undefined;
    this.#byFunction.delete(callback);
    this.#left.delete(entry);
    for (const id of entry.ids) this.#byId.delete(id);
    return entry.ids;
  }

  /** Forgets all. */
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

  /** @returns undefined when the table is full */
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
   * Forgets what was left to the remote, unused longest first.
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
        `(limit: callbacksPerSession); when there are more, those of ended calls that were unused ` +
        `longest are freed: release functions, or pass { callbacks: "call" } or "session"`,
    );
  }
}
