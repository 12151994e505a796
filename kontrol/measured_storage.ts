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

/** What is said of a storage that does not answer, unlike one that answers with an error. */
const AWAY: readonly unknown[] = ["unreachable", "timeout"];

/** A storage whose operations are counted and timed, and which tells when it is back. */
export class MeasuredStorage implements Storage {
  readonly #storage: Storage;
  readonly #metrics: Metrics;
  readonly #onBack: () => void;
  #isAway = false;

  /** @param onBack called when an operation succeeds after one had found the storage away */
  constructor(storage: Storage, metrics: Metrics, onBack: () => void) {
    this.#storage = storage;
    this.#metrics = metrics;
    this.#onBack = onBack;
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
      if (this.#isAway) {
        this.#isAway = false;
        this.#onBack();
      }
      return result;
    } catch (error) {
      const { type, code } = error as { type?: unknown; code?: unknown };
      if (type === "storageError") {
        this.#metrics.count("storage_errors");
        this.#isAway ||= AWAY.includes(code);
      }
      throw error;
    } finally {
      this.#metrics.observeStorage(performance.now() - start);
    }
  }
}
