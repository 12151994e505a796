import type { SqliteDatabase, SqliteStatement } from "../../src/runtime/sqlite.ts";

/** Milliseconds between two writings of the time, at the least. */
const PUBLISH_INTERVAL = 1_000;

/**
 * Milliseconds of the wall clock for which nobody may have written before they count as time that has
 * passed. What is shorter may as well be a jump of the wall clock.
 */
const LONGEST_JUMP = 600_000;

/**
 * The time by which registrations age: milliseconds since 1970 when the database was made, and from
 * then on those of a clock that nobody sets. Every process that has the database open counts from the
 * time in it; where two of them differ, the later time is right.
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
    const away = Date.now() - wall;
    this.#base = time + (away > LONGEST_JUMP ? away : 0) - performance.now();
  }

  /** The time now, in milliseconds. */
  now(): number {
    return this.#base + performance.now();
  }

  /** Agrees with the other processes on the time, now and then. Inside a transaction only. */
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
