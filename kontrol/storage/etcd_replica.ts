import type { EtcdClient } from "./etcd_client.ts";
import type { EtcdFeed } from "./etcd_feed.ts";
import type { EtcdKeys } from "./etcd_keys.ts";
import type { OperationOptions } from "./storage.ts";

/** Milliseconds that the stream of changes is given to bring what etcd has already done. */
const LAG = 20;

/** Milliseconds without the replica, after it could not be brought up to date; doubled each time. */
const SHORTEST_REST = 2_000;
const LONGEST_REST = 60_000;

/** What a replica works on. */
export interface EtcdReplicaParts {
  readonly client: EtcdClient;
  readonly keys: EtcdKeys;
  readonly feed: EtcdFeed;
  /** Starts the feed, and keeps it for as long as the storage is open. */
  readonly start: () => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** Milliseconds for which one look at etcd's revision counts; 0: each question has its own. */
  readonly freshness: number;
}

/**
 * Tells whether what the feed knows is all that etcd knows, so that a query can be answered from
 * memory. It asks etcd for its revision, one small read that all who ask at the same time share, and
 * waits until the feed has heard of everything up to it. Such a look counts for some milliseconds:
 * an answer lacks nothing that was done longer ago than that, and nothing that this storage did.
 *
 * Where others write to the same etcd, its revision runs ahead of what the feed can hear of. Then
 * everything is read anew at times, and queries go to etcd in between.
 */
export class EtcdReplica {
  readonly #parts: EtcdReplicaParts;
  #starting: Promise<void> | undefined;
  #rereading: Promise<void> | undefined;
  #check: { readonly running: Promise<number>; next: Promise<number> | undefined } | undefined;
  /** When the latest look began that found the feed to know everything. */
  #currentAt = -Infinity;
  #restsUntil = -Infinity;
  #rest = SHORTEST_REST;

  constructor(parts: EtcdReplicaParts) {
    this.#parts = parts;
  }

  /** True if the feed knows enough, see above; false when etcd has to be asked. */
  isCurrent(options: OperationOptions | undefined): boolean | Promise<boolean> {
    const { feed, freshness } = this.#parts;
    const isFresh = performance.now() - this.#currentAt < freshness;
    return isFresh && feed.isLive && feed.hasHeardOwn ? true : this.#look(options);
  }

  async #look(options: OperationOptions | undefined): Promise<boolean> {
    const { feed, onError } = this.#parts;
    const began = performance.now();
    if (began < this.#restsUntil) return false;
    if (!feed.isLive) {
      this.#start();
      return false;
    }
    const revision = await this.#revision();
    options?.signal?.throwIfAborted();
    if (await feed.reached(revision, LAG)) {
      this.#rest = SHORTEST_REST;
      this.#currentAt = Math.max(this.#currentAt, began);
      return true;
    }
    if (!feed.isLive || performance.now() < this.#restsUntil) return false;
    this.#restsUntil = performance.now() + this.#rest;
    this.#rest = Math.min(LONGEST_REST, this.#rest * 2);
    this.#rereading = feed.reread().catch(onError);
    return false;
  }

  /** Ends; resolves when nothing of it runs any more. The client has to be closed before. */
  async end(): Promise<void> {
    this.#restsUntil = Infinity;
    await Promise.all([this.#starting, this.#rereading]);
  }

  #start(): void {
    const { start, onError } = this.#parts;
    this.#starting ??= start().catch((error: unknown) => {
      if (this.#restsUntil === Infinity) return;
      this.#restsUntil = performance.now() + SHORTEST_REST;
      onError(error);
    }).finally(() => this.#starting = undefined);
  }

  /** etcd's revision, asked for after this call began. */
  #revision(): Promise<number> {
    const check = this.#check;
    if (check === undefined) return this.#ask();
    const ask = (): Promise<number> => this.#ask();
    return check.next ??= check.running.then(ask, ask);
  }

  #ask(): Promise<number> {
    const { client, keys } = this.#parts;
    const request = { key: keys.kites, limit: 1, keysOnly: true };
    const running = client.range("read the registrations", request, undefined)
      .then(({ revision }) => Number(revision));
    const check = { running, next: undefined };
    this.#check = check;
    const end = (): void => {
      if (this.#check === check) this.#check = undefined;
    };
    running.then(end, end);
    return running;
  }
}
