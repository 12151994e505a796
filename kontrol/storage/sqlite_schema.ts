import type { SqliteDatabase } from "../../src/runtime/sqlite.ts";
import { storageError } from "./failure.ts";

/** The version of the schema below, stored in the file's `user_version`. */
const SCHEMA_VERSION = 4;

// Other processes read their watch events from `event`: every change, numbered without gaps, written
// in the transaction that made it.
const SCHEMA = `
CREATE TABLE registration (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL,
  environment TEXT NOT NULL,
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  region TEXT NOT NULL,
  hostname TEXT NOT NULL,
  url TEXT NOT NULL,
  key_id TEXT NOT NULL,
  owner TEXT NOT NULL,
  updated_at REAL NOT NULL
) STRICT;
CREATE INDEX registration_updated_at ON registration (updated_at);
CREATE TABLE event (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  action TEXT NOT NULL,
  registration TEXT NOT NULL,
  happened_at REAL NOT NULL
) STRICT;
CREATE TABLE key_pair (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  public TEXT NOT NULL UNIQUE,
  private TEXT NOT NULL UNIQUE,
  created_at REAL NOT NULL,
  deleted_at REAL
) STRICT;
`;

/** Added in version 2: the time base for expiry, and the wall clock when it was stored. */
const CLOCK = `
CREATE TABLE clock (
  number INTEGER PRIMARY KEY CHECK (number = 1),
  time REAL NOT NULL,
  wall REAL NOT NULL
) STRICT;
`;

/** Removed in version 4, since queries are answered from memory. */
const FORMER_INDEXES = ["username", "name", "environment", "version", "region", "hostname"];

/** What version 3 adds. */
const INVITES = `
CREATE TABLE IF NOT EXISTS invite (
  id TEXT PRIMARY KEY,
  username TEXT NOT NULL,
  expires_at REAL NOT NULL
) STRICT;
`;

/** Enables the write-ahead log, and creates or migrates the schema. */
export function setUpDatabase(database: SqliteDatabase, busyTimeout: number): void {
  // During setup, waiting inside SQLite blocks no other work.
  database.execute(`PRAGMA busy_timeout = ${SET_UP_BUSY_TIMEOUT}`);
  database.execute("PRAGMA journal_mode = WAL");
  database.execute("PRAGMA synchronous = NORMAL");
  database.execute("BEGIN IMMEDIATE");
  try {
    const version = Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0);
    if (version > SCHEMA_VERSION) {
      throw storageError(
        "sqlite",
        "failed",
        "set up the database",
        `the file has schema version ${version}; this program supports up to ${SCHEMA_VERSION}`,
      );
    }
    if (version < 1) database.execute(SCHEMA);
    if (version < 2) {
      const now = Date.now();
      database.execute(CLOCK);
      database.execute(`INSERT INTO clock VALUES (1, ${now}, ${now})`);
      // After a jump of the wall clock, version 1 could leave times in the future.
      database.execute(`UPDATE registration SET updated_at = ${now} WHERE updated_at > ${now}`);
    }
    if (version < SCHEMA_VERSION) {
      database.execute(INVITES);
      for (const field of FORMER_INDEXES) {
        database.execute(`DROP INDEX IF EXISTS registration_${field}`);
      }
      database.execute(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    }
    database.execute("COMMIT");
  } catch (error) {
    database.execute("ROLLBACK");
    throw error;
  }
  database.execute(`PRAGMA busy_timeout = ${busyTimeout}`);
}

const SET_UP_BUSY_TIMEOUT = 2_000;
