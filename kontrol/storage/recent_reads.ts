import type { Registration } from "./storage.ts";

/** Maximum number of kept results. */
const MAX_READS = 1_000;

interface Read {
  /** `performance.now()` when the read started. */
  readonly at: number;
  readonly result: Promise<readonly Registration[]>;
}

/** Keeps the results of queries for a few milliseconds, and shares them between equal queries. */
export class RecentReads {
  readonly #freshness: number;
  /** By query, oldest first. */
  readonly #reads = new Map<string, Read>();

  /** @param freshness milliseconds for which a result is used; 0 for never */
  constructor(freshness: number) {
    this.#freshness = freshness;
  }

  /** Returns the result of a `read` that started at most `freshness` milliseconds ago. */
  async get(query: string, read: () => Promise<Registration[]>): Promise<Registration[]> {
    if (this.#freshness === 0) return await read();
    const now = performance.now();
    this.#forgetOld(now);
    let recent = this.#reads.get(query);
    if (recent === undefined) {
      recent = { at: now, result: read() };
      this.#reads.set(query, recent);
      recent.result.catch(() => this.#reads.delete(query));
    }
    return [...await recent.result];
  }

  /** Forgets all results, which are older than a change. */
  clear(): void {
    this.#reads.clear();
  }

  #forgetOld(now: number): void {
    for (const [query, { at }] of this.#reads) {
      if (now - at < this.#freshness && this.#reads.size < MAX_READS) return;
      this.#reads.delete(query);
    }
  }
}
