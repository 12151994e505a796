import type { SqliteDatabase, SqliteStatement } from "../../src/runtime/sqlite.ts";

/** Minimum number of milliseconds between two writes of the time. */
const PUBLISH_INTERVAL = 1_000;

/**
 * Milliseconds. If the wall clock is ahead of the last write by more, that time counts as passed;
 * a smaller difference may be a jump of the wall clock.
 */
const LONGEST_JUMP = 600_000;

/**
 * The time base for expiry: starts with the wall clock when the database is created, then follows a
 * monotonic clock. All processes continue from the time stored in the database; if they differ, the
 * later time wins.
 */
export class SqliteClock {
  readonly #read: SqliteStatement;
  readonly #write: SqliteStatement;
  #base: number;
  #publishedAt = -Infinity;

  constructor(database: SqliteDatabase) {
    this.#read = database.prepare("SELECT time, wall FROM clock");
    this.#write = database.prepare("UPDATE clock SET time = ?, wall = ?");
    const { time, wall } = this.#stored();
    const idle = Date.now() - wall;
    this.#base = time + (idle > LONGEST_JUMP ? idle : 0) - performance.now();
  }

  /** The time now, in milliseconds. */
  now(): number {
    return this.#base + performance.now();
  }

  /** Synchronizes the time with other processes, at most once a second. Call it in a transaction. */
  publish(): void {
    if (performance.now() - this.#publishedAt < PUBLISH_INTERVAL) return;
    this.#publishedAt = performance.now();
    this.#base += Math.max(0, this.#stored().time - this.now());
    this.#write.run(this.now(), Date.now());
  }

  #stored(): { time: number; wall: number } {
    const row = this.#read.get();
    return { time: Number(row?.time), wall: Number(row?.wall) };
  }
}
