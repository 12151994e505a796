import { checkRange, type Checks, checkTtl } from "../../src/config_values.ts";
import { checkMilliseconds, checkStorageOptions } from "./check.ts";
import { CONNECTION_CHECKS, type PostgresConnection } from "./postgres_route.ts";
import type { StorageOptions } from "./storage.ts";

/** The options of `PostgresStorage`. */
export interface PostgresStorageOptions extends StorageOptions, PostgresConnection {
  /**
   * Maximum number of connections, in addition to the one for watches.
   *
   * @default 10
   */
  readonly connections?: number;
  /**
   * Milliseconds between two polls for changes of Go Kontrols and for expired registrations. Polling
   * runs only while there are watches or loss listeners. Behind a pooler such as PgBouncer, which
   * passes no notifications, the interval is at most 1_000: changes of other Kontrols arrive with that
   * delay, and several changes of one kite within an interval arrive as one.
   *
   * @default 2_000
   */
  readonly pollInterval?: number;
  /**
   * Milliseconds between two full reads of the table, while polling runs.
   *
   * @default 30_000
   */
  readonly fullInterval?: number;
  /**
   * Milliseconds between two deletions of expired rows.
   *
   * @default 120_000
   */
  readonly cleanInterval?: number;
  /**
   * Milliseconds by which query results may lag behind changes of other Kontrols. During this time,
   * equal queries share a result; with 0, every query asks the database.
   *
   * @default 10
   */
  readonly freshness?: number;
}

/** The default intervals and connections. */
export const DEFAULTS = {
  connections: 10,
  pollInterval: 2_000,
  fullInterval: 30_000,
  cleanInterval: 120_000,
  freshness: 10,
} as const;

const CHECKS: Checks<Omit<PostgresStorageOptions, keyof StorageOptions>> = Object.freeze({
  ...CONNECTION_CHECKS,
  connections: checkRange(1, 10_000),
  pollInterval: checkMilliseconds,
  fullInterval: checkMilliseconds,
  cleanInterval: checkMilliseconds,
  freshness: checkTtl,
});

/**
 * Checks the options of a storage in PostgreSQL.
 *
 * @throws {KiteError} `configError` that names the option
 */
export function checkPostgresOptions(options: PostgresStorageOptions): void {
  checkStorageOptions(options, CHECKS);
}
