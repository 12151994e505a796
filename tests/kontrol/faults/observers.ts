import type { Kite } from "../../../mod.ts";
import type { KontrolQuery } from "../../../src/protocol/query.ts";

/** Milliseconds between two queries. */
const PAUSE = 20;

/** Queries a Kontrol continuously, and measures how long results were incomplete. */
export class QueryLoop implements AsyncDisposable {
  readonly #kite: Kite;
  readonly #query: KontrolQuery;
  readonly #loop: Promise<void>;
  #expected: readonly string[] = [];
  #goodAt: number | undefined;
  #isStopped = false;
  /** The number of answers with all expected kites. */
  good = 0;
  /** The number of answers without one of them. */
  incomplete = 0;
  /** Errors, by message. */
  readonly errors = new Map<string, number>();
  /** The duration of the slowest query, in milliseconds. */
  slowest = 0;
  /** The longest time between two complete answers, in milliseconds. */
  longestGap = 0;

  /** @param kite sends the queries; closed with this object */
  constructor(kite: Kite, query: KontrolQuery, expected: readonly string[]) {
    this.#kite = kite;
    this.#query = query;
    this.#expected = expected;
    this.#loop = this.#run();
  }

  /** Sets the expected kites. */
  expect(ids: readonly string[]): void {
    this.#expected = ids;
  }

  /** Resets all figures. */
  reset(): void {
    this.good =
      this.incomplete =
      this.slowest =
      this.longestGap =
        0;
    this.errors.clear();
    this.#goodAt = undefined;
  }

  /** The figures, for the output of a test. */
  toString(): string {
    const errors = [...this.errors].map(([text, times]) => `${times} × ${text}`).join("; ");
    return `${this.good} good answers, ${this.incomplete} incomplete, ` +
      `longest gap ${ms(this.longestGap)}, slowest ${ms(this.slowest)}` +
      (errors === "" ? "" : `; ${errors}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#kite.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const begin = performance.now();
      await this.#ask();
      if (this.#isStopped) return;
      this.slowest = Math.max(this.slowest, performance.now() - begin);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }

  async #ask(): Promise<void> {
    try {
      const found = await this.#kite.getKites(this.#query);
      const ids = new Set(found.map(({ identity }) => identity!.id));
      if (this.#expected.every((id) => ids.has(id))) this.#succeed();
      else this.incomplete++;
    } catch (error) {
      const text = String(error);
      if (!this.#isStopped) this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
    }
  }

  #succeed(): void {
    const now = performance.now();
    if (this.#goodAt !== undefined) {
      this.longestGap = Math.max(this.longestGap, now - this.#goodAt);
    }
    this.#goodAt = now;
    this.good++;
  }
}

/** Records all events of a watch. */
export class WatchRecorder implements AsyncDisposable {
  /** The events, as `REGISTER <id>`, in order. */
  readonly events: string[] = [];
  readonly #kite: Kite;
  readonly #loop: Promise<void>;

  /** @param kite starts the watch; closed with this object */
  constructor(kite: Kite, query: KontrolQuery) {
    this.#kite = kite;
    this.#loop = this.#run(query);
  }

  /** The IDs of the registered kites, according to the events. */
  get present(): string[] {
    const present = new Set<string>();
    for (const event of this.events) {
      const [action, id = ""] = event.split(" ");
      if (action === "REGISTER") present.add(id);
      else present.delete(id);
    }
    return [...present].sort();
  }

  /** The events about one kite. */
  of({ id }: { readonly id: string }): string {
    return this.events.filter((event) => event.endsWith(id))
      .map((event) => event.split(" ")[0]).join();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kite.close();
    await this.#loop;
  }

  async #run(query: KontrolQuery): Promise<void> {
    for await (const { action, kite } of this.#kite.watchKites(query)) {
      this.events.push(`${action} ${kite.id}`);
    }
  }
}

/** Formats milliseconds as seconds. */
export function ms(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Prints a measurement. */
export function print(text: string): void {
  // deno-lint-ignore no-console -- measurements belong to the output of the test
  console.log(`    ${text}`);
}
