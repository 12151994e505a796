import { SharedReads } from "../shared_reads.ts";
import type { EtcdClient } from "./etcd_client.ts";
import type { EtcdFeed } from "./etcd_feed.ts";
import type { EtcdKeys } from "./etcd_keys.ts";
import type { OperationOptions } from "./storage.ts";

/** Milliseconds to wait for the feed to receive changes that etcd has already made. */
const MAX_LAG = 20;

/** Milliseconds for which the replica is not used after it fell behind; doubled each time. */
const SHORTEST_REST = 2_000;
const LONGEST_REST = 60_000;

/** The dependencies of a replica. */
export interface EtcdReplicaOptions {
  readonly client: EtcdClient;
  readonly keys: EtcdKeys;
  readonly feed: EtcdFeed;
  /** Starts the feed and keeps it running until the storage is closed. */
  readonly start: () => Promise<void>;
  readonly onError: (error: unknown) => void;
  /** Milliseconds for which one check of etcd's revision is valid; with 0, every query checks. */
  readonly freshness: number;
}

/**
 * Decides whether the feed is up to date, so that a query can be answered from memory. It reads
 * etcd's revision, a small request that concurrent queries share, and waits until the feed has
 * reached it. The result is valid for `freshness` milliseconds, and only while the feed has received
 * all changes made by this storage object.
 *
 * If other programs write to the same etcd, its revision increases without changes that the feed
 * could receive. The feed then rereads everything from time to time, and queries go to etcd meanwhile.
 */
export class EtcdReplica {
  readonly #options: EtcdReplicaOptions;
  #starting: Promise<void> | undefined;
  #rereading: Promise<void> | undefined;
  readonly #revisions = new SharedReads<number>();
  /** The start of the latest check that found the feed up to date. */
  #currentAt = -Infinity;
  #restsUntil = -Infinity;
  #rest = SHORTEST_REST;

  constructor(options: EtcdReplicaOptions) {
    this.#options = options;
  }

  /** True if the feed is up to date; false if the query must go to etcd. */
  isCurrent(options: OperationOptions | undefined): boolean | Promise<boolean> {
    const { feed, freshness } = this.#options;
    const isFresh = performance.now() - this.#currentAt < freshness;
    return isFresh && feed.isLive && feed.hasOwnChanges ? true : this.#check(options);
  }

  async #check(options: OperationOptions | undefined): Promise<boolean> {
    const { feed, onError } = this.#options;
    const began = performance.now();
    if (began < this.#restsUntil) return false;
    if (!feed.isLive) {
      this.#start();
      return false;
    }
    const revision = await this.#revision();
    options?.signal?.throwIfAborted();
    if (await feed.waitFor(revision, MAX_LAG)) {
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

  /** Waits for background work to end. Close the client first. */
  async end(): Promise<void> {
    this.#restsUntil = Infinity;
    await Promise.all([this.#starting, this.#rereading]);
  }

  #start(): void {
    const { start, onError } = this.#options;
    this.#starting ??= start().catch((error: unknown) => {
      if (this.#restsUntil === Infinity) return;
      this.#restsUntil = performance.now() + SHORTEST_REST;
      onError(error);
    }).finally(() => this.#starting = undefined);
  }

  /** etcd's revision, read after this call began. */
  #revision(): Promise<number> {
    const { client, keys } = this.#options;
    const request = { key: keys.kites, limit: 1, keysOnly: true };
    return this.#revisions.get("", async () => {
      return Number((await client.range("read the registrations", request, undefined)).revision);
    });
  }
}
