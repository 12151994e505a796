import type { Callback } from "../src/dnode/scrub.ts";
import type { EncodedText } from "../src/transport/encoded_text.ts";
import { KiteError } from "../src/protocol/errors.ts";
import type { RemoteKite } from "../src/rpc/remote.ts";
import { TaskQueue } from "./budgets.ts";
import { CallerWatch, type CallerWatchOptions, type Page } from "./caller_watch.ts";
import type { Metrics } from "./metrics.ts";
import type { Caller } from "./policy.ts";

/** Maximum number of watches per connection. */
const MAX_WATCHES = 256;

/** Watches of one user that start at the same time. Each holds its whole list meanwhile. */
const CONCURRENT_STARTS = 4;

/** The dependencies of {@linkcode CallerWatches}. */
export interface CallerWatchesOptions extends CallerWatchOptions {
  readonly metrics: Metrics;
  /** Receives errors that affect only single changes. */
  readonly onError: (error: unknown) => void;
}

/** The watches of all connections. */
export class CallerWatches {
  readonly #options: CallerWatchesOptions;
  readonly #byRemote = new Map<RemoteKite, Map<string, CallerWatch>>();
  /** By username, the queue of watches that are starting. */
  readonly #starting = new Map<string, TaskQueue>();

  constructor(options: CallerWatchesOptions) {
    this.#options = options;
  }

  /** The number of running watches. */
  get size(): number {
    let size = 0;
    for (const watches of this.#byRemote.values()) size += watches.size;
    return size;
  }

  /**
   * Starts a watch, which ends when the remote cancels it or disconnects.
   *
   * @param isPaged whether the caller reads the list page by page
   * @returns the JSON `{"kites":[…],"watcherID":"…"}`, with `"more":true` if
   * {@linkcode CallerWatches.more} has further kites, escaped for use inside a JSON string
   * @throws {KiteError} `limitError`: too many watches, or the list does not fit in one message
   */
  async add(
    remote: RemoteKite,
    caller: Caller,
    query: unknown,
    callback: Callback,
    isPaged: boolean,
  ): Promise<EncodedText> {
    const { budgets, metrics, onError } = this.#options;
    const watches = this.#of(remote);
    if (watches.size >= MAX_WATCHES) {
      const reason = `one connection has at most ${MAX_WATCHES} watches`;
      throw new KiteError("limitError", `Cannot start another watch: ${reason}`);
    }
    budgets.watches.check(caller.username);
    budgets.watches.add(caller.username);
    const watcherID = crypto.randomUUID();
    const watch: CallerWatch = new CallerWatch(this.#options, caller, callback, {
      onOverflow: () => remote.close(),
      onError,
      onStop: () => {
        watches.delete(watcherID);
        budgets.watches.remove(caller.username);
      },
    });
    watches.set(watcherID, watch);
    try {
      const { escaped, hasMore } = await this.#start(caller.username, async () => {
        await watch.start(query);
        return await (isPaged ? watch.page() : watch.whole());
      });
      metrics.count("watches");
      const more = hasMore ? ',\\"more\\":true' : "";
      const tail = `,\\"watcherID\\":\\"${watcherID}\\"${more}}`;
      return escaped.within('{\\"kites\\":', tail);
    } catch (error) {
      watch.stop();
      throw error;
    }
  }

  /**
   * Returns the next page of a watch's list.
   *
   * @returns the JSON `{"kites":[…],"more":true}`, escaped as above
   * @throws {KiteError} `argumentError`: there is no such watch
   */
  async more(remote: RemoteKite, watcherID: string): Promise<EncodedText> {
    const { escaped, hasMore } = await this.#find(remote, watcherID).page();
    return escaped.within('{\\"kites\\":', `,\\"more\\":${hasMore}}`);
  }

  /**
   * Ends a watch of a remote.
   *
   * @throws {KiteError} `argumentError`: there is no such watch
   */
  cancel(remote: RemoteKite, watcherID: string): void {
    this.#find(remote, watcherID).stop();
  }

  async #start(username: string, start: () => Promise<Page>): Promise<Page> {
    let queue = this.#starting.get(username);
    if (queue === undefined) {
      this.#starting.set(username, queue = new TaskQueue(CONCURRENT_STARTS));
    }
    try {
      return await queue.run(username, start);
    } finally {
      if (queue.isIdle) this.#starting.delete(username);
    }
  }

  #find(remote: RemoteKite, watcherID: string): CallerWatch {
    const watch = this.#byRemote.get(remote)?.get(watcherID);
    if (watch === undefined) throw new KiteError("argumentError", "no watcher with that id");
    return watch;
  }

  #of(remote: RemoteKite): Map<string, CallerWatch> {
    const known = this.#byRemote.get(remote);
    if (known !== undefined) return known;
    const watches = new Map<string, CallerWatch>();
    this.#byRemote.set(remote, watches);
    remote.onDisconnect(() => {
      for (const watch of [...watches.values()]) watch.stop();
      this.#byRemote.delete(remote);
    });
    return watches;
  }
}
