// deno-lint-ignore-file require-await -- errors must be rejections, as in the storages with a server
import {
  canonicalId,
  checkKeyPair,
  checkKnownPair,
  checkRegistration,
  checkStorageOptions,
  idTakenError,
} from "./check.ts";
import { ignoreError, storageError, throwIfAborted } from "./failure.ts";
import { RegistrationIndex } from "./registration_index.ts";
import { createMatcher } from "./matcher.ts";
import { MemoryInvites } from "./memory_invites.ts";
import {
  DEFAULT_TIME_TO_LIVE,
  type DeleteOptions,
  type GetOptions,
  type Invites,
  type KeyPair,
  type KeyPairs,
  type LossListener,
  type OperationOptions,
  type Registration,
  type Storage,
  type StorageListener,
  type StorageOptions,
  type StoredKeyPair,
  type Watch,
} from "./storage.ts";
import type { KontrolQuery } from "../../src/protocol/query.ts";
import { plain, WatchHub } from "./watch_hub.ts";

interface Entry extends Registration {
  updatedAt: number;
}

/**
 * A storage in memory. Its data is lost when the process ends, after which kites register again. For
 * tests and small setups.
 *
 * @example
 * ```ts
 * import { MemoryStorage } from "@kite/kite/kontrol";
 *
 * await using storage = new MemoryStorage({ timeToLive: 60_000 });
 * console.assert((await storage.get({ name: "math" })).length === 0);
 * ```
 */
export class MemoryStorage implements Storage {
  readonly kind = "memory";
  readonly keyPairs: KeyPairs = new MemoryKeyPairs();
  readonly invites: Invites = new MemoryInvites();
  readonly #timeToLive: number;
  // Ordered by age, since a refresh moves an entry to the end.
  readonly #entries = new RegistrationIndex<Entry>();
  readonly #hub: WatchHub<Entry>;
  #sweeper: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /**
   * Creates an empty storage.
   *
   * @throws {KiteError} `configError` that names the invalid option
   */
  constructor(options: StorageOptions = {}) {
    checkStorageOptions(options, {});
    this.#timeToLive = options.timeToLive ?? DEFAULT_TIME_TO_LIVE;
    this.#hub = new WatchHub(this.#entries, { onError: options.onError ?? ignoreError });
  }

  async get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]> {
    this.#begin("read the registrations", options);
    const oldest = now() - this.#timeToLive;
    const isLive = (entry: Entry): boolean => entry.updatedAt > oldest;
    return this.#entries.find(createMatcher(query), options?.limit ?? Infinity, isLive).map(plain);
  }

  async upsert(registration: Registration, options?: OperationOptions): Promise<void> {
    this.#begin("add a registration", options);
    const { kite, url, keyId } = checkRegistration(registration);
    this.#sweep();
    const known = this.#entries.get(kite.id);
    if (known !== undefined && known.kite.username !== kite.username) throw idTakenError(kite.id);
    this.#hub.put({ kite, url, keyId, updatedAt: now() });
    this.#sweepLater();
  }

  async refresh(ids: readonly string[], options?: OperationOptions): Promise<string[]> {
    this.#begin("refresh the registrations", options);
    this.#sweep();
    const time = now();
    return ids.filter((id) => {
      const entry = this.#entries.get(canonicalId(id));
      if (entry === undefined) return true;
      entry.updatedAt = time;
      this.#entries.moveToEnd(entry);
      return false;
    });
  }

  async delete(id: string, options?: DeleteOptions): Promise<boolean> {
    this.#begin("delete a registration", options);
    this.#sweep();
    return this.#hub.remove(canonicalId(id)) !== undefined;
  }

  async watch(
    query: KontrolQuery,
    listener: StorageListener,
    options?: OperationOptions,
  ): Promise<Watch> {
    this.#begin("watch the registrations", options);
    const matcher = createMatcher(query);
    this.#sweep();
    return this.#hub.add(matcher, listener, options?.signal);
  }

  onLoss(listener: LossListener): Disposable {
    return this.#hub.onLoss(listener);
  }

  async count(options?: OperationOptions): Promise<Map<string, number>> {
    this.#begin("count the registrations", options);
    this.#sweep();
    return this.#entries.countByEnvironment();
  }

  async ready(options?: OperationOptions): Promise<void> {
    this.#begin("check the readiness", options);
  }

  /** Closes the storage; running watches end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#sweeper);
    this.#hub.close();
  }

  #begin(what: string, options: OperationOptions | undefined): void {
    throwIfAborted(options, what);
    if (this.#closed) throw storageError(this.kind, "closed", what, "the storage is closed");
  }

  /** Removes expired registrations. */
  #sweep(): void {
    const oldest = now() - this.#timeToLive;
    for (const entry of this.#entries.values()) {
      if (entry.updatedAt > oldest) break;
      this.#hub.remove(entry.kite.id);
    }
  }

  #sweepLater(): void {
    if (this.#sweeper !== undefined || this.#closed) return;
    const first = this.#entries.values().next().value;
    if (first === undefined) return;
    this.#sweeper = setTimeout(() => {
      this.#sweeper = undefined;
      this.#sweep();
      this.#sweepLater();
    }, Math.max(first.updatedAt + this.#timeToLive - now(), SHORTEST_SWEEP));
  }
}

/** Minimum number of milliseconds between two sweeps. */
const SHORTEST_SWEEP = 10;

class MemoryKeyPairs implements KeyPairs {
  readonly #byId = new Map<string, StoredKeyPair>();
  readonly #byPublic = new Map<string, string>();

  async add(pair: KeyPair): Promise<StoredKeyPair> {
    const checked = checkKeyPair(pair);
    const known = this.#find(checked.public) ?? this.#byId.get(checked.id) ??
      this.#byPrivate(checked.private);
    if (known !== undefined) return checkKnownPair(checked, known);
    const stored = { ...checked, createdAt: Date.now() };
    this.#byId.set(stored.id, stored);
    this.#byPublic.set(stored.public, stored.id);
    return stored;
  }

  async softDelete(id: string): Promise<boolean> {
    const known = this.#byId.get(canonicalId(id));
    if (known === undefined || known.deletedAt !== undefined) return false;
    this.#byId.set(known.id, { ...known, deletedAt: Date.now() });
    return true;
  }

  async list(): Promise<StoredKeyPair[]> {
    return [...this.#byId.values()].reverse();
  }

  async byId(id: string): Promise<StoredKeyPair | undefined> {
    return this.#byId.get(canonicalId(id));
  }

  async byPublic(publicKey: string): Promise<StoredKeyPair | undefined> {
    return this.#find(publicKey.trim());
  }

  #byPrivate(privateKey: string): StoredKeyPair | undefined {
    return this.#byId.values().find((pair) => pair.private === privateKey);
  }

  #find(publicKey: string): StoredKeyPair | undefined {
    return this.#byId.get(this.#byPublic.get(publicKey) ?? "");
  }
}

/** Milliseconds since 1970, by a monotonic clock: changes of the wall clock must not affect expiry. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
