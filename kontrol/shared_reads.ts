import type { KontrolQuery } from "../src/protocol/query.ts";
import type { Registration, Storage } from "./storage/storage.ts";

type Found = readonly Registration[];

interface Read {
  readonly running: Promise<Found>;
  /** What begins once `running` has ended, for all who came meanwhile. */
  next: Promise<Found> | undefined;
}

/**
 * Reads of a storage, of which those alike share one. Whoever comes while such a read is under way
 * waits for the next: nobody is given what was read before it asked.
 */
export class SharedReads {
  readonly #storage: Storage;
  readonly #limit: number;
  readonly #reads = new Map<string, Read>();

  /** @param limit registrations in one answer, at most */
  constructor(storage: Storage, limit: number) {
    this.#storage = storage;
    this.#limit = limit;
  }

  /** The registrations that match, as they are after this call began; shared, not to be changed. */
  get(query: KontrolQuery): Promise<Found> {
    const name = JSON.stringify(query);
    const read = this.#reads.get(name);
    if (read === undefined) return this.#begin(name, query);
    const begin = (): Promise<Found> => this.#begin(name, query);
    return read.next ??= read.running.then(begin, begin);
  }

  #begin(name: string, query: KontrolQuery): Promise<Found> {
    const running = this.#storage.get(query, { limit: this.#limit });
    const read: Read = { running, next: undefined };
    this.#reads.set(name, read);
    const end = (): void => {
      if (this.#reads.get(name) === read) this.#reads.delete(name);
    };
    running.then(end, end);
    return running;
  }
}
