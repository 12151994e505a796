import type { Callback } from "../src/dnode/scrub.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { readQuery } from "../src/protocol/query.ts";
import type { EncodedText } from "../src/transport/encoded_text.ts";
import type { Budgets } from "./budgets.ts";
import type { Finder } from "./finder.ts";
import { type Caller, inScope, type Policy } from "./policy.ts";
import type { Registration, Storage, StorageEvent, Watch } from "./storage/storage.ts";

/** Maximum number of changes of one watch that wait for their tokens. */
const MAX_WAITING = 10_000;

/** Maximum number of kites on one page. */
const PAGE = 1_000;

/** Milliseconds until a watch ends if the caller does not request the next page. */
const PAGE_TIMEOUT = 60_000;

/** The dependencies of a {@linkcode CallerWatch}. */
export interface CallerWatchOptions {
  readonly storage: Storage;
  readonly policy: Policy;
  readonly budgets: Budgets;
  readonly finder: Finder;
}

/** The events of a {@linkcode CallerWatch}. */
export interface CallerWatchEvents {
  /** Called when changes arrive faster than they can be delivered. */
  readonly onOverflow: () => void;
  /** Receives errors that affect only single changes. */
  readonly onError: (error: unknown) => void;
  /** Called once when the watch has ended. */
  readonly onStop: () => void;
}

/** A page of a watch's list. */
export interface Page {
  /** A JSON array of kites with tokens, escaped for use inside a JSON string. */
  readonly escaped: EncodedText;
  readonly hasMore: boolean;
}

/**
 * A caller's watch: delivers the current list, then each change, in order. The caller may read the
 * list page by page. A change of a kite that was not listed yet updates the list instead of being
 * delivered.
 */
export class CallerWatch {
  readonly #options: CallerWatchOptions;
  readonly #caller: Caller;
  readonly #callback: Callback;
  readonly #events: CallerWatchEvents;
  /** IDs of the kites that the caller knows. */
  readonly #delivered = new Set<string>();
  /** The kites that were not listed yet. */
  #unlisted = new Map<string, Registration>();
  #waiting: StorageEvent[] = [];
  /** True until the current page is sent, since changes must not overtake it. */
  #isHeld = true;
  #isDraining = false;
  #watch: Watch | undefined;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pageTimer: ReturnType<typeof setTimeout> | undefined;
  #isPaging = false;
  /** True while the unfinished list counts against the user's budget. */
  #isListCounted = false;

  constructor(
    options: CallerWatchOptions,
    caller: Caller,
    callback: Callback,
    events: CallerWatchEvents,
  ) {
    this.#options = options;
    this.#caller = caller;
    this.#callback = callback;
    this.#events = events;
  }

  /** Starts the watch. Nothing is delivered before the first page. */
  async start(value: unknown): Promise<void> {
    const { storage, policy, budgets: { scheduler } } = this.#options;
    const { username } = this.#caller;
    const query = inScope(policy, this.#caller, readQuery(value));
    if (query === undefined) return;
    const watch = await scheduler.run(
      username,
      () => storage.watch(query, (event) => this.#receive(event)),
    );
    this.#watch = watch;
    if (this.#isStopped) return watch.stop();
    this.#unlisted = new Map(watch.current.map((one) => [one.kite.id, one]));
  }

  /**
   * Returns the next page of the list. Changes follow it.
   *
   * @throws {KiteError} after which the watch has ended
   */
  async page(): Promise<Page> {
    if (this.#isPaging) {
      const reason = "the previous page is not finished";
      throw new KiteError("argumentError", `Cannot send the next page: ${reason}`);
    }
    return await this.#list(PAGE);
  }

  /**
   * Returns the whole list in one message.
   *
   * @throws {KiteError} `limitError`: the list does not fit in one message
   */
  async whole(): Promise<Page> {
    const page = await this.#list(Infinity);
    if (!page.hasMore) return page;
    const reason = "the matching kites do not fit in one message; narrow the query, or use pages";
    throw new KiteError("limitError", `Cannot watch with this query: ${reason}`);
  }

  /** Ends the watch. Idempotent. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pageTimer);
    this.#waiting = [];
    this.#unlisted.clear();
    this.#countList();
    this.#watch?.stop();
    this.#events.onStop();
  }

  async #list(limit: number): Promise<Page> {
    this.#isPaging = true;
    this.#isHeld = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pageTimer);
    try {
      const page = await this.#take(limit);
      this.#countList();
      this.#resume();
      return page;
    } catch (error) {
      this.stop();
      throw error;
    } finally {
      this.#isPaging = false;
    }
  }

  async #take(limit: number): Promise<Page> {
    const { finder } = this.#options;
    const taken: Registration[] = [];
    for (const one of this.#unlisted.values()) {
      if (taken.push(one) >= limit) break;
    }
    for (const { kite } of taken) this.#unlisted.delete(kite.id);
    const callable = await finder.callable(this.#caller, taken, Infinity);
    const { escaped, count } = await finder.describe(this.#caller, callable);
    for (const { kite } of callable.slice(0, count)) this.#delivered.add(kite.id);
    if (count < callable.length && !this.#isStopped) {
      for (const one of callable.slice(count)) this.#unlisted.set(one.kite.id, one);
      // Apply the changes that arrived meanwhile for these kites to the list.
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const event of waiting) this.#receive(event);
    }
    return { escaped, hasMore: this.#unlisted.size > 0 };
  }

  /**
   * Counts the list against the user's budget while it is unfinished.
   *
   * @throws {KiteError} `limitError`: the user has too many unfinished lists
   */
  #countList(): void {
    const { lists } = this.#options.budgets;
    const { username } = this.#caller;
    const isUnfinished = this.#unlisted.size > 0;
    if (isUnfinished === this.#isListCounted) return;
    if (isUnfinished) lists.check(username);
    this.#isListCounted = isUnfinished;
    if (isUnfinished) lists.add(username);
    else lists.remove(username);
  }

  /** Delivers changes again after this turn, by when the page was sent. */
  #resume(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#isHeld = false;
      void this.#drain();
    }, 0);
    if (this.#unlisted.size > 0) this.#pageTimer = setTimeout(() => this.stop(), PAGE_TIMEOUT);
  }

  #receive(event: StorageEvent): void {
    if (this.#isStopped) return;
    const { expires = Infinity } = this.#caller;
    if (Date.now() >= expires) return this.stop();
    const { action, registration } = event;
    const { id } = registration.kite;
    if (this.#unlisted.has(id)) {
      if (action === "REGISTER") this.#unlisted.set(id, registration);
      else this.#unlisted.delete(id);
      return;
    }
    if (this.#waiting.length >= MAX_WAITING) return this.#events.onOverflow();
    this.#waiting.push(event);
    if (!this.#isHeld) void this.#drain();
  }

  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    while (this.#waiting.length > 0 && !this.#isStopped && !this.#isHeld) {
      const batch = this.#waiting;
      this.#waiting = [];
      for (const event of batch) {
        try {
          await this.#deliver(event);
        } catch (error) {
          this.#events.onError(error);
        }
      }
    }
    this.#isDraining = false;
  }

  async #deliver({ action, registration }: StorageEvent): Promise<void> {
    const { kite, url } = registration;
    if (action === "DEREGISTER") {
      if (!this.#delivered.delete(kite.id)) return;
      return this.#send({ action, kite, url, token: "" });
    }
    const { policy } = this.#options;
    if (await policy.mayCall?.(this.#caller, kite) === false) return;
    const token = await this.#tokenFor(registration);
    this.#delivered.add(kite.id);
    this.#send({ action, kite, url, token });
  }

  /** `""` if no token can be signed; the change is sent anyway, and the caller can request a token. */
  async #tokenFor(registration: Registration): Promise<string> {
    try {
      return await this.#options.finder.tokenFor(this.#caller, registration);
    } catch (error) {
      this.#events.onError(error);
      return "";
    }
  }

  /** Sends both `err`, which kite.js reads, and `error`. `token` is always a string. */
  #send(result: Record<string, unknown>): void {
    if (!this.#isStopped) this.#callback({ error: null, err: null, result });
  }
}
