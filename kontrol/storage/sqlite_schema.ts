import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { SqliteDatabase, SqliteValue } from "../../src/runtime/sqlite.ts";
import { storageError } from "./failure.ts";
import type { Registration } from "./storage.ts";

/** The version of the schema below, stored in the file's `user_version`. */
const SCHEMA_VERSION = 3;

// Any combination of username, environment and name is a prefix of one of the first three indexes.
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
CREATE INDEX registration_username ON registration (username, environment, name);
CREATE INDEX registration_name ON registration (name, username);
CREATE INDEX registration_environment ON registration (environment, name);
CREATE INDEX registration_version ON registration (version);
CREATE INDEX registration_region ON registration (region);
CREATE INDEX registration_hostname ON registration (hostname);
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
      database.execute(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    }
    database.execute("COMMIT");
  } catch (error) {
    database.execute("ROLLBACK");
    throw error;
  }
  database.execute(`PRAGMA busy_timeout = ${busyTimeout}`);
}

/** Fields whose values few kites share, so that their indexes are selective. */
const SELECTIVE: readonly (keyof KiteIdentity)[] = [
  "id",
  "username",
  "environment",
  "name",
  "hostname",
];

/**
 * The statement that finds registrations by the given fields. Its parameters are the expiry limit for
 * `updated_at`, the fields, a JSON array of versions if `hasVersions`, and the row limit (-1 for none).
 *
 * A `+` keeps SQLite from using an index that is not selective: always that of updated_at, and those
 * of version and region if there is a better one.
 */
export function selectStatement(
  fields: readonly (keyof KiteIdentity)[],
  hasVersions: boolean,
): string {
  const isSelective = fields.some((field) => SELECTIVE.includes(field));
  const conditions = fields.map((field) => {
    return `${isSelective && !SELECTIVE.includes(field) ? "+" : ""}${field} = ?`;
  });
  const versions = `${isSelective ? "+" : ""}version IN (SELECT value FROM json_each(?))`;
  if (hasVersions) conditions.push(versions);
  const all = ["+updated_at > ?", ...conditions].join(" AND ");
  return `SELECT ${COLUMNS} FROM registration WHERE ${all} LIMIT ?`;
}

/** Selects the distinct versions, with one index lookup for each. */
export const DISTINCT_VERSIONS = `
WITH RECURSIVE known(version) AS (
  SELECT min(version) FROM registration
  UNION ALL
  SELECT (SELECT min(version) FROM registration WHERE version > known.version) FROM known
  WHERE known.version IS NOT NULL
) SELECT version FROM known WHERE version IS NOT NULL`;

const COLUMNS =
  "username, environment, name, version, region, hostname, id, url, key_id, updated_at";

/** The registration in a row of {@linkcode selectStatement}. The table is STRICT, so types are known. */
export function selectedRegistration(row: readonly SqliteValue[]): Registration {
  return {
    kite: {
      username: row[0] as string,
      environment: row[1] as string,
      name: row[2] as string,
      version: row[3] as string,
      region: row[4] as string,
      hostname: row[5] as string,
      id: row[6] as string,
    },
    url: row[7] as string,
    keyId: row[8] as string,
    updatedAt: row[9] as number,
  };
}

const SET_UP_BUSY_TIMEOUT = 2_000;
