import type { KontrolQuery } from "../src/protocol/query.ts";
import type { Metrics } from "./metrics.ts";
import type {
  DeleteOptions,
  GetOptions,
  KeyPairs,
  OperationOptions,
  Registration,
  Storage,
  StorageListener,
  Watch,
} from "./storage/storage.ts";

/** A storage whose operations are counted and timed. */
export class MeasuredStorage implements Storage {
  readonly #storage: Storage;
  readonly #metrics: Metrics;

  constructor(storage: Storage, metrics: Metrics) {
    this.#storage = storage;
    this.#metrics = metrics;
  }

  get kind(): Storage["kind"] {
    return this.#storage.kind;
  }

  get keyPairs(): KeyPairs {
    return this.#storage.keyPairs;
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
      return await operation();
    } catch (error) {
      if ((error as { type?: unknown }).type === "storageError") {
        this.#metrics.count("storage_errors");
      }
      throw error;
    } finally {
      this.#metrics.observeStorage(performance.now() - start);
    }
  }
}
