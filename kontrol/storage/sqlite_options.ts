import { checkPath } from "../../src/config_values.ts";
import { checkMilliseconds, checkStorageOptions } from "./check.ts";
import type { StorageOptions } from "./storage.ts";

/** The options of `SqliteStorage`. */
export interface SqliteStorageOptions extends StorageOptions {
  /** The database file, or `":memory:"`. Several Kontrols on one machine may share a file. */
  readonly path: string;
  /**
   * Milliseconds between two polls for changes of other processes and for expired registrations.
   * Polling runs only while there are watches or loss listeners.
   *
   * @default 250
   */
  readonly pollInterval?: number;
}

/**
 * Checks the options of a storage in SQLite.
 *
 * @throws {KiteError} `configError` that names the option
 */
export function checkSqliteOptions(options: SqliteStorageOptions): void {
  checkStorageOptions<SqliteStorageOptions>(options, {
    path: checkPath,
    pollInterval: checkMilliseconds,
  });
  checkPath("path", options.path);
}
