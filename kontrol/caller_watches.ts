import type { Callback } from "../src/dnode/scrub.ts";
import { KiteError } from "../src/protocol/errors.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import { TaskQueue } from "./budgets.ts";
import type { Caller } from "./policy.ts";
import type { KontrolService } from "./service.ts";
import { CallerWatch, type Page } from "./caller_watch.ts";

/** Watches of one connection, at most. */
const MOST_WATCHES = 256;

/** Watches of one user that begin at the same time: each holds the whole list meanwhile. */
const BEGINNING = 4;

/** The watches of every connection. */
export class CallerWatches {
  readonly #service: KontrolService;
  readonly #onError: (error: unknown) => void;
  readonly #byRemote = new Map<RemoteKite, Map<string, CallerWatch>>();
  /** By username, watches that begin. */
  readonly #beginning = new Map<string, TaskQueue>();

  constructor(service: KontrolService, onError: (error: unknown) => void) {
    this.#service = service;
    this.#onError = onError;
  }

  /** Watches that are running. */
  get size(): number {
    let size = 0;
    for (const watchers of this.#byRemote.values()) size += watchers.size;
    return size;
  }

  /**
   * Begins a watch for a remote, until it cancels it or disconnects.
   *
   * @param isPaged whether the caller asks for the list page by page
   * @returns the JSON of the answer as it stands inside of a JSON string:
   * `{"kites":[…],"watcherID":"…"}`, and `"more":true` when {@linkcode CallerWatches.more} has further kites
   * @throws {KiteError} `limitError`: too many watches, or a list too long for one message
   */
  async add(
    remote: RemoteKite,
    caller: Caller,
    query: unknown,
    callback: Callback,
    isPaged: boolean,
  ): Promise<string> {
    const { budgets, metrics } = this.#service.parts;
    const watchers = this.#of(remote);
    if (watchers.size >= MOST_WATCHES) {
      throw new KiteError("limitError", `at most ${MOST_WATCHES} watches on one connection`);
    }
    budgets.watches.check(caller.username);
    budgets.watches.add(caller.username);
    const watcherID = crypto.randomUUID();
    const watcher: CallerWatch = new CallerWatch(this.#service, caller, callback, {
      onOverflow: () => remote.close(),
      onError: this.#onError,
      onStop: () => {
        watchers.delete(watcherID);
        budgets.watches.remove(caller.username);
      },
    });
    watchers.set(watcherID, watcher);
    try {
      const { escaped, hasMore } = await this.#begin(caller.username, async () => {
        await watcher.begin(query);
        return await (isPaged ? watcher.page() : watcher.whole());
      });
      metrics.count("watches");
      const more = hasMore ? ',\\"more\\":true' : "";
      return `{\\"kites\\":${escaped},\\"watcherID\\":\\"${watcherID}\\"${more}}`;
    } catch (error) {
      watcher.stop();
      throw error;
    }
  }

  /**
   * The next page of the list of a watch.
   *
   * @returns `{"kites":[…],"more":true}`, likewise
   * @throws {KiteError} `argumentError` when there is no such watch
   */
  async more(remote: RemoteKite, watcherID: string): Promise<string> {
    const { escaped, hasMore } = await this.#find(remote, watcherID).page();
    return `{\\"kites\\":${escaped},\\"more\\":${hasMore}}`;
  }

  /**
   * Ends a watch of a remote.
   *
   * @throws {KiteError} `argumentError` when there is no such watch
   */
  cancel(remote: RemoteKite, watcherID: string): void {
    this.#find(remote, watcherID).stop();
  }

  async #begin(username: string, begin: () => Promise<Page>): Promise<Page> {
    let queue = this.#beginning.get(username);
    if (queue === undefined) this.#beginning.set(username, queue = new TaskQueue(BEGINNING));
    try {
      return await queue.run(username, begin);
    } finally {
      if (queue.isIdle) this.#beginning.delete(username);
    }
  }

  #find(remote: RemoteKite, watcherID: string): CallerWatch {
    const watcher = this.#byRemote.get(remote)?.get(watcherID);
    if (watcher === undefined) throw new KiteError("argumentError", "no watcher with that id");
    return watcher;
  }

  #of(remote: RemoteKite): Map<string, CallerWatch> {
    const known = this.#byRemote.get(remote);
    if (known !== undefined) return known;
    const watchers = new Map<string, CallerWatch>();
    this.#byRemote.set(remote, watchers);
    remote.onDisconnect(() => {
      for (const watcher of [...watchers.values()]) watcher.stop();
      this.#byRemote.delete(remote);
    });
    return watchers;
  }
}
