import { KiteError } from "../../src/protocol/errors.ts";
import {
  diskFailure,
  isSqliteBusy,
  openSqlite,
  type SqliteDatabase,
  type SqliteStatement,
} from "../../src/runtime/sqlite.ts";
import { reasonOf, storageError, throwIfAborted } from "./failure.ts";
import { setUpDatabase } from "./sqlite_schema.ts";
import type { OperationOptions } from "./storage.ts";

/** Milliseconds that SQLite itself may wait for a lock, which blocks the event loop. */
const BUSY_TIMEOUT = 5;

/** Maximum number of milliseconds between two attempts to get the lock. */
const LONGEST_PAUSE = 50;

/**
 * Runs all work on a database. SQLite calls are synchronous, so if another process holds the lock,
 * the work is retried after a pause in which the event loop keeps running.
 */
export class SqliteRunner {
  /** The database, for preparing statements. */
  readonly database: SqliteDatabase;
  readonly #timeout: number;
  readonly #beginRead: SqliteStatement;
  readonly #begin: SqliteStatement;
  readonly #commit: SqliteStatement;
  readonly #rollback: SqliteStatement;
  #closed = false;

  constructor(path: string, timeout: number) {
    this.#timeout = timeout;
    this.database = openSqlite(path);
    try {
      setUpDatabase(this.database, BUSY_TIMEOUT);
      // Only with prepared statements do Deno's errors say that the database is locked.
      this.#beginRead = this.database.prepare("BEGIN");
      this.#begin = this.database.prepare("BEGIN IMMEDIATE");
      this.#commit = this.database.prepare("COMMIT");
      this.#rollback = this.database.prepare("ROLLBACK");
    } catch (error) {
      this.database.close();
      const reason = diskFailure(path);
      if (reason === undefined) throw failure(`set up the database ${path}`, error);
      const message = `Cannot set up the database ${path}: ${reason}`;
      throw new KiteError("configError", message, { cause: error });
    }
  }

  /** Runs `work`, which must only read, without a transaction. */
  read<T>(what: string, options: OperationOptions | undefined, work: () => T): Promise<T> {
    return this.#attempt(what, options, work);
  }

  /** Runs `work`, which must only read, on one state of the database. */
  snapshot<T>(what: string, options: OperationOptions | undefined, work: () => T): Promise<T> {
    return this.#attempt(what, options, () => this.#transact(work, this.#beginRead));
  }

  /** Runs `work` in a transaction, which is rolled back if it throws. */
  write<T>(what: string, options: OperationOptions | undefined, work: () => T): Promise<T> {
    return this.#attempt(what, options, () => this.#transact(work));
  }

  /** Like `write`, and syncs to disk, for data that must survive a power failure. */
  writeDurably<T>(
    what: string,
    options: OperationOptions | undefined,
    work: () => T,
  ): Promise<T> {
    return this.#attempt(what, options, () => {
      this.database.execute("PRAGMA synchronous = FULL");
      try {
        return this.#transact(work);
      } finally {
        this.database.execute("PRAGMA synchronous = NORMAL");
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.database.close();
  }

  #transact<T>(work: () => T, begin: SqliteStatement = this.#begin): T {
    begin.run();
    try {
      const result = work();
      this.#commit.run();
      return result;
    } catch (error) {
      this.#rollback.run();
      throw error;
    }
  }

  async #attempt<T>(
    what: string,
    options: OperationOptions | undefined,
    work: () => T,
  ): Promise<T> {
    const deadline = performance.now() + this.#timeout;
    for (let pause = 1;; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      throwIfAborted(options, what);
      if (this.#closed) throw storageError("sqlite", "closed", what, "the storage is closed");
      try {
        return work();
      } catch (error) {
        if (!isSqliteBusy(error)) throw failure(what, error);
        if (performance.now() + pause > deadline) {
          throw storageError(
            "sqlite",
            "timeout",
            what,
            `another process has locked the database for more than ${this.#timeout} ms`,
            error,
          );
        }
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

function failure(what: string, error: unknown): KiteError {
  if (error instanceof KiteError) return error;
  const code = isSqliteBusy(error) ? "timeout" : "failed";
  return storageError("sqlite", code, what, reasonOf(error), error);
}
