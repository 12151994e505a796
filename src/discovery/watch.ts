import { Backoff } from "../backoff.ts";
import type { Client } from "../client.ts";
import type { Callback } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KontrolQuery } from "../protocol/query.ts";
import { type FoundKite, readFoundKite, readGetKitesResult } from "./found_kites.ts";
import type { KontrolConnection } from "./discovery_host.ts";

/** The maximum number of unread events. More end the watch with a `limitError`. */
const MOST_WAITING = 10_000;

/** The number of unread events above which the next page of a list is not requested. */
const MOST_BEFORE_PAGE = MOST_WAITING / 4;

/** Kontrol may call the callback at any time while the session lasts. */
const LONG_LIVED = { callbacks: "session" } as const;

/** A kite that appeared, moved to another URL (`REGISTER`), or disappeared (`DEREGISTER`). */
export interface KiteEvent extends FoundKite {
  /** What happened to the kite. */
  readonly action: "REGISTER" | "DEREGISTER";
}

/**
 * Follows the kites that match a query, also across reconnections to Kontrol. The first events are a
 * `REGISTER` for each kite that is registered already. Iterate it once. Leaving the loop closes it.
 */
export interface KiteWatch<Event = KiteEvent> extends AsyncIterable<Event>, AsyncDisposable {
  /** Ends the watch, and with it the loop. Further calls have no effect. */
  close(): Promise<void>;
}

/** The implementation of {@linkcode KiteWatch}. */
export class KontrolWatch<Event> implements KiteWatch<Event> {
  readonly #kontrol: KontrolConnection;
  readonly #query: KontrolQuery;
  readonly #present: (event: KiteEvent) => Event;
  readonly #onStop: () => void;
  readonly #client: Client;
  readonly #removeListener: () => void;
  /** The delay between two attempts to start the watch. */
  readonly #backoff = new Backoff({ initialDelay: 1_000, maxDelay: 30_000 });
  /** The kites that were reported as registered, by id. */
  readonly #known = new Map<string, FoundKite>();
  #events: KiteEvent[] = [];
  #waiting: (() => void) | undefined;
  /** Called when events were read, or the watch has ended. */
  #onTaken: (() => void) | undefined;
  #failure: KiteError | undefined;
  #isStopped = false;
  #watcherId: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the started watches, so that messages of earlier ones are ignored. */
  #generation = 0;
  /** The callback of the current watch. */
  #callback: Callback | undefined;
  /** Changes that arrived before the first page of the list. */
  #early: KiteEvent[] | undefined;
  /** The ids in the list that is being read. */
  #listed: Set<string> | undefined;

  /** @param present converts an event for the user */
  constructor(
    kontrol: KontrolConnection,
    query: KontrolQuery,
    present: (event: KiteEvent) => Event,
    onStop: () => void,
  ) {
    this.#kontrol = kontrol;
    this.#query = query;
    this.#present = present;
    this.#onStop = onStop;
    this.#client = kontrol.client;
    this.#removeListener = this.#client.onConnect(() => void this.#begin());
    if (this.#client.state === "open") void this.#begin();
  }

  close(): Promise<void> {
    this.#stop();
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#generation++;
    clearTimeout(this.#timer);
    this.#removeListener();
    this.#onStop();
    this.#waiting?.();
    this.#onTaken?.();
    this.#cancel();
    this.#release();
  }

  /**
   * The events, from the first list on.
   *
   * @throws {KiteError} `limitError`, `argumentError`
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event> {
    try {
      for (;;) {
        const events = this.#events;
        this.#events = [];
        this.#onTaken?.();
        for (const event of events) yield this.#present(event);
        if (this.#events.length > 0) continue;
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#isStopped) return;
        await new Promise<void>((resolve) => this.#waiting = resolve);
        this.#waiting = undefined;
      }
    } finally {
      this.#stop();
    }
  }

  /** Frees the callback of the current watch. */
  #release(): void {
    if (this.#callback !== undefined) this.#client.release(this.#callback);
    this.#callback = undefined;
  }

  /** Starts a watch and reads its list page by page. Called again after every reconnection. */
  async #begin(): Promise<void> {
    clearTimeout(this.#timer);
    const generation = ++this.#generation;
    this.#watcherId = undefined;
    this.#early = [];
    this.#listed = new Set();
    const callback = (message: unknown): void => {
      if (generation === this.#generation) this.#changed(message);
    };
    this.#release();
    this.#callback = callback;
    const argument = { query: this.#query, watchCallback: callback, who: null, paged: true };
    try {
      let page = readGetKitesResult(await this.#kontrol.tell(LONG_LIVED, "getKites", argument));
      if (generation !== this.#generation) return;
      const { watcherId } = page;
      this.#watcherId = watcherId;
      for (;;) {
        this.#emitPage(page.kites);
        if (!page.hasMore) break;
        await this.#spaceForPage();
        if (generation !== this.#generation) return;
        page = readGetKitesResult(await this.#kontrol.tell({}, "moreKites", watcherId));
        if (generation !== this.#generation) return;
      }
      this.#endList();
      this.#backoff.reset();
    } catch (error) {
      if (generation !== this.#generation) return;
      // After the start, an argumentError means that Kontrol has dropped the watch.
      const hasBegun = this.#watcherId !== undefined;
      if (!hasBegun && error instanceof KiteError && error.type === "argumentError") {
        return this.#fail(error);
      }
      this.#generation++;
      this.#cancel();
      this.#timer = setTimeout(() => void this.#begin(), this.#backoff.next());
    }
  }

  /** Ends the watch at Kontrol. */
  #cancel(): void {
    const watcherId = this.#watcherId;
    this.#watcherId = undefined;
    if (watcherId === undefined || this.#client.state !== "open") return;
    this.#kontrol.tell({}, "cancelWatcher", watcherId)
      .catch(() => {}); // a Kontrol without this method ends the watch at disconnect
  }

  /** Waits until most events were read, since a list may be longer than the limit of unread events. */
  async #spaceForPage(): Promise<void> {
    while (this.#events.length > MOST_BEFORE_PAGE && !this.#isStopped) {
      await new Promise<void>((resolve) => this.#onTaken = resolve);
    }
  }

  /** Emits events for the kites of a page, and the changes that arrived before the first page. */
  #emitPage(kites: readonly FoundKite[]): void {
    for (const found of kites) this.#emit({ ...found, action: "REGISTER" });
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#emit(event);
  }

  /** Emits events for known kites that are no longer in the list. */
  #endList(): void {
    const listed = this.#listed;
    this.#listed = undefined;
    if (listed === undefined) return;
    for (const [id, known] of this.#known) {
      if (!listed.has(id)) this.#emit({ ...known, token: "", action: "DEREGISTER" });
    }
  }

  #changed(message: unknown): void {
    const { error, result } = (message ?? {}) as { error?: unknown; result?: unknown };
    const { action } = (result ?? {}) as { action?: unknown };
    if (error || (action !== "REGISTER" && action !== "DEREGISTER")) return;
    const event: KiteEvent = { ...readFoundKite(result), action };
    if (this.#early === undefined) this.#emit(event);
    else if (this.#early.length < MOST_WAITING) this.#early.push(event);
    else this.#overflow();
  }

  /** Emits an event, unless it changes nothing. */
  #emit(event: KiteEvent): void {
    const { action, token: _token, ...rest } = event;
    const known = this.#known.get(event.kite.id);
    if (action === "REGISTER") {
      this.#listed?.add(event.kite.id);
      if (known?.url === event.url) return;
      this.#known.set(event.kite.id, { ...rest, token: "" });
    } else {
      this.#listed?.delete(event.kite.id);
      if (!this.#known.delete(event.kite.id)) return;
    }
    if (this.#events.length >= MOST_WAITING) return this.#overflow();
    this.#events.push(event);
    this.#waiting?.();
  }

  #overflow(): void {
    const reason = `more than ${MOST_WAITING} events are unread; read them faster`;
    this.#fail(new KiteError("limitError", `Cannot watch kites: ${reason}`));
  }

  #fail(error: KiteError): void {
    this.#failure = error;
    this.#stop();
  }
}
