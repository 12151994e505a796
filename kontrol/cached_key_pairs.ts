import { canonicalPublicKey } from "../src/auth/keys.ts";
import { throwIfAborted } from "./storage/failure.ts";
import type { KeyPair, KeyPairs, OperationOptions, StoredKeyPair } from "./storage/storage.ts";

/** The options of {@linkcode CachedKeyPairs}. */
export interface CachedKeyPairsOptions {
  /**
   * Maximum age of the list in milliseconds. Deletions by other Kontrols are noticed with this delay.
   *
   * @default 30_000
   */
  readonly timeToLive?: number;
  /**
   * Minimum number of milliseconds between two reads caused by unknown keys.
   *
   * @default 1_000
   */
  readonly missInterval?: number;
  /**
   * A monotonic clock in milliseconds.
   *
   * @default performance.now
   */
  readonly now?: () => number;
}

/** Milliseconds to wait for a new list before the old one is used. */
const RELOAD_TIMEOUT = 500;

/** The pairs at one point in time. */
interface Snapshot {
  readonly at: number;
  readonly list: readonly StoredKeyPair[];
  readonly byId: ReadonlyMap<string, StoredKeyPair>;
  readonly byPublic: ReadonlyMap<string, StoredKeyPair>;
}

/**
 * Caches the key pairs of a storage. There are few of them, and almost every call needs one, so the
 * cache holds the whole list. An unknown key causes a new read, but at most one per interval, so that
 * callers with invented keys cannot load the storage. While the storage is unavailable, the last list
 * stays in use.
 */
export class CachedKeyPairs implements KeyPairs {
  readonly #store: KeyPairs;
  readonly #timeToLive: number;
  readonly #missInterval: number;
  readonly #now: () => number;
  #snapshot: Snapshot | undefined;
  #loading: Promise<Snapshot> | undefined;
  #failedAt: number | undefined;
  #generation = 0;

  /** @param store the key pairs of the storage */
  constructor(store: KeyPairs, options: CachedKeyPairsOptions = {}) {
    this.#store = store;
    this.#timeToLive = options.timeToLive ?? 30_000;
    this.#missInterval = options.missInterval ?? 1_000;
    this.#now = options.now ?? (() => performance.now());
  }

  async add(pair: KeyPair, options?: OperationOptions): Promise<StoredKeyPair> {
    try {
      return await this.#store.add(pair, options);
    } finally {
      this.#forget();
    }
  }

  async softDelete(id: string, options?: OperationOptions): Promise<boolean> {
    try {
      return await this.#store.softDelete(id, options);
    } finally {
      this.#forget();
    }
  }

  async list(options?: OperationOptions): Promise<StoredKeyPair[]> {
    throwIfAborted(options, "list the key pairs");
    return (await this.#recent()).list.slice();
  }

  async byId(id: string, options?: OperationOptions): Promise<StoredKeyPair | undefined> {
    throwIfAborted(options, "find a key pair");
    const canonical = id.toLowerCase();
    return await this.#find(({ byId }) => byId.get(canonical));
  }

  async byPublic(
    publicKey: string,
    options?: OperationOptions,
  ): Promise<StoredKeyPair | undefined> {
    throwIfAborted(options, "find a key pair");
    const canonical = canonicalPublicKey(publicKey);
    return await this.#find(({ byPublic }) => byPublic.get(canonical));
  }

  async #find(
    look: (snapshot: Snapshot) => StoredKeyPair | undefined,
  ): Promise<StoredKeyPair | undefined> {
    const snapshot = await this.#recent();
    const found = look(snapshot);
    if (found !== undefined || this.#now() - snapshot.at < this.#missInterval) return found;
    return look(await this.#load());
  }

  /** The list, reloaded if it is older than its time to live and the storage answers. */
  async #recent(): Promise<Snapshot> {
    const known = this.#snapshot;
    if (known === undefined) return await this.#load();
    const now = this.#now();
    if (now - known.at < this.#timeToLive) return known;
    const failedAt = this.#failedAt;
    if (failedAt !== undefined && now - failedAt < this.#missInterval) return known;
    const loading = this.#load().catch(() => known);
    // After a failure, calls do not wait for the storage again.
    return failedAt === undefined ? await this.#loadedOrKnown(loading, known) : known;
  }

  /** Waits for `loading`, at most for the reload timeout; then returns `known`. */
  #loadedOrKnown(loading: Promise<Snapshot>, known: Snapshot): Promise<Snapshot> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#failedAt ??= this.#now();
        resolve(known);
      }, RELOAD_TIMEOUT);
      void loading.then((snapshot) => {
        clearTimeout(timer);
        resolve(snapshot);
      });
    });
  }

  #load(): Promise<Snapshot> {
    const generation = this.#generation;
    this.#loading ??= Promise.resolve().then(() => this.#read(generation));
    return this.#loading;
  }

  async #read(generation: number): Promise<Snapshot> {
    const at = this.#now();
    try {
      const list = await this.#store.list();
      const byId = new Map(list.map((pair) => [pair.id.toLowerCase(), pair]));
      // Reversed, so that the newest pair wins if one key is stored in two text forms.
      const byPublic = new Map(
        list.toReversed().map((pair) => [canonicalPublicKey(pair.public), pair]),
      );
      const snapshot: Snapshot = { at, list, byId, byPublic };
      if (generation === this.#generation) this.#snapshot = snapshot;
      this.#failedAt = undefined;
      return snapshot;
    } catch (error) {
      this.#failedAt = this.#now();
      throw error;
    } finally {
      if (generation === this.#generation) this.#loading = undefined;
    }
  }

  /** Call it after a change, since a read that is running may not include it. */
  #forget(): void {
    this.#generation++;
    this.#snapshot = undefined;
    this.#loading = undefined;
  }
}
