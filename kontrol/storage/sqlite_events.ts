import type { SqliteDatabase, SqliteStatement } from "../../src/runtime/sqlite.ts";
import type { Registration, StorageEvent } from "./storage.ts";
import type { WatchHub } from "./watch_hub.ts";

/** Milliseconds that an event stays for other processes to read. */
const KEPT = 600_000;

/**
 * The changes in the order in which they were made, as the database keeps them for the watchers of
 * every process. Each is written in the transaction that makes it, so none is lost and none is early.
 */
export class SqliteEvents {
  readonly #insert: SqliteStatement;
  readonly #newer: SqliteStatement;
  readonly #last: SqliteStatement;
  readonly #first: SqliteStatement;
  readonly #prune: SqliteStatement;
  readonly #now: () => number;
  #read = 0;

  /** @param now the time, milliseconds */
  constructor(database: SqliteDatabase, now: () => number) {
    this.#now = now;
    this.#insert = database.prepare(
      "INSERT INTO event (action, registration, happened_at) VALUES (?, ?, ?)",
    );
    this.#newer = database.prepare("SELECT * FROM event WHERE number > ? ORDER BY number");
    // The last number ever given, whether its event is still there or not.
    this.#last = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'event'");
    this.#first = database.prepare("SELECT happened_at FROM event ORDER BY number LIMIT 1");
    this.#prune = database.prepare("DELETE FROM event WHERE happened_at < ?");
  }

  /** Writes an event down. Inside a transaction only. */
  write(action: StorageEvent["action"], registration: Registration): void {
    this.#insert.run(action, JSON.stringify(registration), this.#now());
  }

  /** Takes all events up to now as read. */
  skip(): void {
    this.#read = Number(this.#last.get()?.seq ?? 0);
  }

  /**
   * Gives the hub what happened since the last time.
   * @returns False when events in between are gone: the hub needs the whole list.
   */
  readInto(hub: WatchHub): boolean {
    for (const row of this.#newer.all(this.#read)) {
      const number = Number(row.number);
      if (number !== this.#read + 1) return false;
      const registration: Registration = JSON.parse(String(row.registration));
      if (row.action === "REGISTER") hub.put(registration);
      else hub.remove(registration.kite.id);
      this.#read = number;
    }
    return Number(this.#last.get()?.seq ?? 0) === this.#read;
  }

  /** Removes events that everybody had the time to read. Inside a transaction only. */
  prune(): void {
    const oldest = this.#now() - KEPT;
    if (Number(this.#first.get()?.happened_at ?? oldest) < oldest) this.#prune.run(oldest);
  }
}
