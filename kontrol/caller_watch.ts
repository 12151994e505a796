import type { Callback } from "../src/dnode/scrub.ts";
import { KiteError } from "../src/protocol/errors.ts";
import { readQuery } from "../src/protocol/query.ts";
import { type Caller, inScope } from "./policy.ts";
import type { KontrolService } from "./service.ts";
import type { Registration, StorageEvent, Watch } from "./storage/storage.ts";

/** Changes of one watch that wait for their tokens, at most. */
const MOST_WAITING = 10_000;

/** Kites on one page, at most. */
const PAGE = 1_000;

/** Milliseconds for which the rest of a list waits to be asked for. */
const PAGE_TIMEOUT = 60_000;

/** What a {@linkcode CallerWatch} tells its owner. */
export interface WatcherOptions {
  /** Called when changes come faster than they can be passed on. */
  readonly onOverflow: () => void;
  readonly onError: (error: unknown) => void;
  /** Called once, when the watch has ended. */
  readonly onStop: () => void;
}

/** A part of a watch's list. */
export interface Page {
  /** A JSON array of kites with tokens, as it stands inside of a JSON string. */
  readonly escaped: string;
  readonly hasMore: boolean;
}

/**
 * A watch of a caller: the list of what is there, then each change, in order. A list may be taken page
 * by page; a change of a kite that is still to be listed changes the list instead of being passed on.
 */
export class CallerWatch {
  readonly #service: KontrolService;
  readonly #caller: Caller;
  readonly #callback: Callback;
  readonly #options: WatcherOptions;
  /** Kites that the caller was told of. */
  readonly #told = new Set<string>();
  /** Kites that are to be listed. */
  #rest = new Map<string, Registration>();
  #waiting: StorageEvent[] = [];
  /** True until the latest part of the list is on its way: changes must not overtake it. */
  #isHeld = true;
  #isDraining = false;
  #watch: Watch | undefined;
  #isStopped = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pageTimer: ReturnType<typeof setTimeout> | undefined;
  #isPaging = false;
  /** True while a list that is not at its end counts for its user. */
  #isOpenList = false;

  constructor(
    service: KontrolService,
    caller: Caller,
    callback: Callback,
    options: WatcherOptions,
  ) {
    this.#service = service;
    this.#caller = caller;
    this.#callback = callback;
    this.#options = options;
  }

  /** Begins to follow; nothing is passed on before the first part of the list. */
  async begin(value: unknown): Promise<void> {
    const { storage, policy, budgets: { turns } } = this.#service.parts;
    const { username } = this.#caller;
    const query = inScope(policy, this.#caller, readQuery(value));
    if (query === undefined) return;
    const watch = await turns.run(
      username,
      () => storage.watch(query, (event) => this.#changed(event)),
    );
    this.#watch = watch;
    if (this.#isStopped) return watch.stop();
    this.#rest = new Map(watch.current.map((one) => [one.kite.id, one]));
  }

  /**
   * The next part of the list; changes follow it.
   *
   * @throws {KiteError} the watch has ended then
   */
  async page(): Promise<Page> {
    if (this.#isPaging) {
      throw new KiteError("argumentError", "the page before is still on its way");
    }
    return await this.#list(PAGE);
  }

  /**
   * The whole list in one message.
   *
   * @throws {KiteError} `limitError`: it is too long for that
   */
  async whole(): Promise<Page> {
    const page = await this.#list(Infinity);
    if (!page.hasMore) return page;
    const reason = "more kites match than one message carries; ask for fewer, or for pages";
    throw new KiteError("limitError", `Cannot watch with this query: ${reason}`);
  }

  /** Ends it; idempotent. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pageTimer);
    this.#waiting = [];
    this.#rest.clear();
    this.#countList();
    this.#watch?.stop();
    this.#options.onStop();
  }

  async #list(most: number): Promise<Page> {
    this.#isPaging = true;
    this.#isHeld = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#pageTimer);
    try {
      const page = await this.#take(most);
      this.#countList();
      this.#go();
      return page;
    } catch (error) {
      this.stop();
      throw error;
    } finally {
      this.#isPaging = false;
    }
  }

  async #take(most: number): Promise<Page> {
    const { finder } = this.#service.parts;
    const taken: Registration[] = [];
    for (const one of this.#rest.values()) {
      if (taken.push(one) >= most) break;
    }
    for (const { kite } of taken) this.#rest.delete(kite.id);
    const callable = await finder.callable(this.#caller, taken, Infinity);
    const { escaped, count } = await finder.describe(this.#caller, callable);
    for (const { kite } of callable.slice(0, count)) this.#told.add(kite.id);
    if (count < callable.length && !this.#isStopped) {
      for (const one of callable.slice(count)) this.#rest.set(one.kite.id, one);
      // What changed of these meanwhile changes the list.
      const waiting = this.#waiting;
      this.#waiting = [];
      for (const event of waiting) this.#changed(event);
    }
    return { escaped, hasMore: this.#rest.size > 0 };
  }

  /**
   * Counts the list while there is more of it.
   *
   * @throws {KiteError} `limitError`: too many of them
   */
  #countList(): void {
    const { lists } = this.#service.parts.budgets;
    const { username } = this.#caller;
    const isOpen = this.#rest.size > 0;
    if (isOpen === this.#isOpenList) return;
    if (isOpen) lists.check(username);
    this.#isOpenList = isOpen;
    if (isOpen) lists.add(username);
    else lists.remove(username);
  }

  /** Lets changes through after this turn: the list is on its way by then. */
  #go(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#isHeld = false;
      void this.#drain();
    }, 0);
    if (this.#rest.size > 0) this.#pageTimer = setTimeout(() => this.stop(), PAGE_TIMEOUT);
  }

  #changed(event: StorageEvent): void {
    if (this.#isStopped) return;
    const { expires = Infinity } = this.#caller;
    if (Date.now() >= expires) return this.stop();
    const { action, registration } = event;
    const { id } = registration.kite;
    if (this.#rest.has(id)) {
      if (action === "REGISTER") this.#rest.set(id, registration);
      else this.#rest.delete(id);
      return;
    }
    if (this.#waiting.length >= MOST_WAITING) return this.#options.onOverflow();
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
          await this.#pass(event);
        } catch (error) {
          this.#options.onError(error);
        }
      }
    }
    this.#isDraining = false;
  }

  async #pass({ action, registration }: StorageEvent): Promise<void> {
    const { kite, url } = registration;
    if (action === "DEREGISTER") {
      if (!this.#told.delete(kite.id)) return;
      return this.#tell({ action, kite, url, token: "" });
    }
    const { policy } = this.#service.parts;
    if (await policy.mayCall?.(this.#caller, kite) === false) return;
    const token = await this.#tokenFor(registration);
    this.#told.add(kite.id);
    this.#tell({ action, kite, url, token });
  }

  /** `""` while none can be signed: the change is told all the same, and a token can be asked for. */
  async #tokenFor(registration: Registration): Promise<string> {
    try {
      return await this.#service.parts.finder.tokenFor(this.#caller, registration);
    } catch (error) {
      this.#options.onError(error);
      return "";
    }
  }

  /** kite.js reads `err`, others `error`; `token` is always a string. */
  #tell(result: Record<string, unknown>): void {
    if (!this.#isStopped) this.#callback({ error: null, err: null, result });
  }
}
