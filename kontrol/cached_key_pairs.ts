import { canonicalPublicKey } from "../src/auth/keys.ts";
import { throwIfAborted } from "./storage/failure.ts";
import type { KeyPair, KeyPairs, OperationOptions, StoredKeyPair } from "./storage/storage.ts";

/** How {@linkcode CachedKeyPairs} remembers. */
export interface CachedKeyPairsOptions {
  /**
   * How old the list may be, milliseconds: so late is another Kontrol's deletion seen.
   *
   * @default 30_000
   */
  readonly timeToLive?: number;
  /**
   * How often an unknown key may cause a new look, milliseconds.
   *
   * @default 1_000
   */
  readonly missInterval?: number;
  /**
   * The clock, milliseconds from any start; it must never be set.
   *
   * @default performance.now
   */
  readonly now?: () => number;
}

/** Milliseconds to wait for a new list while there is an older one. */
const PATIENCE = 500;

/** The pairs as they were at one time. */
interface Snapshot {
  readonly at: number;
  readonly list: readonly StoredKeyPair[];
  readonly byId: ReadonlyMap<string, StoredKeyPair>;
  readonly byPublic: ReadonlyMap<string, StoredKeyPair>;
}

/**
 * Key pairs in memory before those in a storage. There are few of them and each answer of Kontrol
 * needs one, so the whole list is kept. What is not in it is looked for anew, yet strangers with
 * made-up keys cause no more than one look per interval. While the storage is away, the list that
 * was read last goes on serving.
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

  /** @param store Where the pairs really are. */
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

  /** The list, not older than its time to live if the storage answers. */
  async #recent(): Promise<Snapshot> {
    const known = this.#snapshot;
    if (known === undefined) return await this.#load();
    const now = this.#now();
    if (now - known.at < this.#timeToLive) return known;
    const failedAt = this.#failedAt;
    if (failedAt !== undefined && now - failedAt < this.#missInterval) return known;
    const loading = this.#load().catch(() => known);
    // A storage that is away answers late: only the first to find out wait for it, and not for long.
    return failedAt === undefined ? await this.#soon(loading, known) : known;
  }

  /** What `loading` gives, or what was known before when that takes too long. */
  #soon(loading: Promise<Snapshot>, known: Snapshot): Promise<Snapshot> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#failedAt ??= this.#now();
        resolve(known);
      }, PATIENCE);
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
      // Later entries of a Map win: of one key in two texts, that is the pair added last.
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

  /** After a change of ours: what is being read may be older than it. */
  #forget(): void {
    this.#generation++;
    this.#snapshot = undefined;
    this.#loading = undefined;
  }
}
