import type { KontrolQuery } from "../src/protocol/query.ts";
import type { Metrics } from "./metrics.ts";
import type {
  DeleteOptions,
  GetOptions,
  Invites,
  KeyPairs,
  LossListener,
  OperationOptions,
  Registration,
  Storage,
  StorageListener,
  Watch,
} from "./storage/storage.ts";

/** The error codes of a storage that does not answer. */
const UNAVAILABLE: readonly unknown[] = ["unreachable", "timeout"];

/** Counts and times the operations of a storage, and reports when it has recovered. */
export class MeasuredStorage implements Storage {
  readonly #storage: Storage;
  readonly #metrics: Metrics;
  readonly #onRecovered: () => void;
  #isUnavailable = false;

  /** @param onRecovered called when an operation succeeds after the storage was unavailable */
  constructor(storage: Storage, metrics: Metrics, onRecovered: () => void) {
    this.#storage = storage;
    this.#metrics = metrics;
    this.#onRecovered = onRecovered;
  }

  get kind(): Storage["kind"] {
    return this.#storage.kind;
  }

  get keyPairs(): KeyPairs {
    return this.#storage.keyPairs;
  }

  get invites(): Invites {
    return this.#storage.invites;
  }

  get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]> {
    return this.#measure(() => this.#storage.get(query, options));
  }

  upsert(registration: Registration, options?: OperationOptions): Promise<void> {
    return this.#measure(() => this.#storage.upsert(registration, options));
  }

  refresh(ids: readonly string[], options?: OperationOptions): Promise<string[]> {
    return this.#measure(() => this.#storage.refresh(ids, options));
  }

  delete(id: string, options?: DeleteOptions): Promise<boolean> {
    return this.#measure(() => this.#storage.delete(id, options));
  }

  watch(
    query: KontrolQuery,
    listener: StorageListener,
    options?: OperationOptions,
  ): Promise<Watch> {
    return this.#measure(() => this.#storage.watch(query, listener, options));
  }

  onLoss(listener: LossListener): Disposable {
    return this.#storage.onLoss(listener);
  }

  count(options?: OperationOptions): Promise<Map<string, number>> {
    return this.#measure(() => this.#storage.count(options));
  }

  ready(options?: OperationOptions): Promise<void> {
    return this.#measure(() => this.#storage.ready(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#storage[Symbol.asyncDispose]();
  }

  async #measure<Result>(operation: () => Promise<Result>): Promise<Result> {
    const start = performance.now();
    try {
      const result = await operation();
      if (this.#isUnavailable) {
        this.#isUnavailable = false;
        this.#onRecovered();
      }
      return result;
    } catch (error) {
      const { type, code } = error as { type?: unknown; code?: unknown };
      if (type === "storageError") {
        this.#metrics.count("storage_errors");
        this.#isUnavailable ||= UNAVAILABLE.includes(code);
      }
      throw error;
    } finally {
      this.#metrics.observeStorage(performance.now() - start);
    }
  }
}
