import type { SqliteDatabase, SqliteStatement } from "../../src/runtime/sqlite.ts";
import type { Registration, StorageEvent } from "./storage.ts";

/** Receives events in order. */
export interface EventSink {
  put(registration: Registration & { updatedAt: number }): void;
  remove(id: string): unknown;
}

/** Milliseconds after which an event is deleted. */
const RETENTION = 600_000;

/**
 * The log of changes from which the watches of all processes read. Each event is written in the
 * transaction that makes the change.
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
    // The last number ever assigned, even if its event was deleted.
    this.#last = database.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'event'");
    this.#first = database.prepare("SELECT happened_at FROM event ORDER BY number LIMIT 1");
    this.#prune = database.prepare("DELETE FROM event WHERE happened_at < ?");
  }

  /** Records an event. Call it inside a transaction. */
  write(action: StorageEvent["action"], registration: Registration): void {
    this.#insert.run(action, JSON.stringify(registration), this.#now());
  }

  /** Marks all events so far as read. */
  skip(): void {
    this.#read = Number(this.#last.get()?.seq ?? 0);
  }

  /**
   * Passes the unread events to the hub.
   *
   * @returns false if some of them were already deleted, so that the hub needs the whole list
   */
  readInto(hub: EventSink): boolean {
    for (const row of this.#newer.all(this.#read)) {
      const number = Number(row.number);
      if (number !== this.#read + 1) return false;
      const registration: Registration = JSON.parse(String(row.registration));
      if (row.action === "REGISTER") {
        hub.put({ ...registration, updatedAt: Number(row.happened_at) });
      } else hub.remove(registration.kite.id);
      this.#read = number;
    }
    return Number(this.#last.get()?.seq ?? 0) === this.#read;
  }

  /** Deletes old events. Call it inside a transaction. */
  prune(): void {
    const oldest = this.#now() - RETENTION;
    if (Number(this.#first.get()?.happened_at ?? oldest) < oldest) this.#prune.run(oldest);
  }
}
