import { Backoff } from "../backoff.ts";
import type { Client } from "../client.ts";
import type { Callback } from "../dnode/scrub.ts";
import { KiteError } from "../protocol/errors.ts";
import type { KontrolQuery } from "../protocol/query.ts";
import { type FoundKite, readFoundKite, readGetKitesResult } from "./found_kites.ts";
import type { KontrolConnection } from "./discovery_host.ts";

/** Events that wait to be taken, at most; more end the watch with a `limitError`. */
const MOST_WAITING = 10_000;

/** Events up to which the next page of a list is asked for. */
const ROOM = MOST_WAITING / 4;

/** Kontrol calls the callback whenever a kite comes or goes, which may not be for days. */
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
  /** Between two tries to begin. */
  readonly #backoff = new Backoff({ initialDelay: 1_000, maxDelay: 30_000 });
  /** The url of each kite that was told of. */
  readonly #known = new Map<string, FoundKite>();
  #events: KiteEvent[] = [];
  #waiting: (() => void) | undefined;
  /** Called when events were taken, or the watch has ended. */
  #onTaken: (() => void) | undefined;
  #failure: KiteError | undefined;
  #isStopped = false;
  #watcherId: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts watches begun: what an earlier one still sends is not listened to. */
  #generation = 0;
  /** What Kontrol calls for the watch begun last. */
  #callback: Callback | undefined;
  /** Changes that came before the first page of the list they follow. */
  #early: KiteEvent[] | undefined;
  /** The ids of a list that is being read, page by page. */
  #listed: Set<string> | undefined;

  /** @param present makes the event that the user gets */
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

  /** Takes the callback back that Kontrol got for the watch begun last. */
  #release(): void {
    if (this.#callback !== undefined) this.#client.release(this.#callback);
    this.#callback = undefined;
  }

  /** Asks for the list, page by page, and the changes after it; also after every reconnection. */
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
        this.#tellPage(page.kites);
        if (!page.hasMore) break;
        await this.#room();
        if (generation !== this.#generation) return;
        page = readGetKitesResult(await this.#kontrol.tell({}, "moreKites", watcherId));
        if (generation !== this.#generation) return;
      }
      this.#endList();
      this.#backoff.reset();
    } catch (error) {
      if (generation !== this.#generation) return;
      // Once it has begun, an argumentError says that Kontrol has dropped the watch.
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
      .catch(() => {}); // a Kontrol that does not know the method forgets at disconnect
  }

  /** Waits until most events were taken: a list may be longer than what is kept. */
  async #room(): Promise<void> {
    while (this.#events.length > ROOM && !this.#isStopped) {
      await new Promise<void>((resolve) => this.#onTaken = resolve);
    }
  }

  /** Tells of a page's kites, and of the changes that came before the first one. */
  #tellPage(kites: readonly FoundKite[]): void {
    for (const found of kites) this.#tell({ ...found, action: "REGISTER" });
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#tell(event);
  }

  /** Tells of the kites that are gone: they were known, and are not in the list. */
  #endList(): void {
    const listed = this.#listed;
    this.#listed = undefined;
    if (listed === undefined) return;
    for (const [id, known] of this.#known) {
      if (!listed.has(id)) this.#tell({ ...known, token: "", action: "DEREGISTER" });
    }
  }

  #changed(message: unknown): void {
    const { error, result } = (message ?? {}) as { error?: unknown; result?: unknown };
    const { action } = (result ?? {}) as { action?: unknown };
    if (error || (action !== "REGISTER" && action !== "DEREGISTER")) return;
    const event: KiteEvent = { ...readFoundKite(result), action };
    if (this.#early === undefined) this.#tell(event);
    else if (this.#early.length < MOST_WAITING) this.#early.push(event);
    else this.#overflow();
  }

  /** Passes an event on, unless it tells nothing new. */
  #tell(event: KiteEvent): void {
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
    this.#fail(new KiteError("limitError", `${MOST_WAITING} events wait; take them faster`));
  }

  #fail(error: KiteError): void {
    this.#failure = error;
    this.#stop();
  }
}
