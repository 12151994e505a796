import type { KiteIdentity } from "../../src/protocol/identity.ts";
import type { SqliteDatabase, SqliteValue } from "../../src/runtime/sqlite.ts";
import { storageError } from "./failure.ts";
import type { Registration } from "./storage.ts";

/** The number of the schema below, kept in the file's `user_version`. */
const SCHEMA_VERSION = 3;

// Any mix of username, environment and name is a prefix of one of the first three indexes. `event`
// is what the watchers of other processes read: every appearance, change of url and disappearance,
// numbered without gaps, each written in the transaction that made it.
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

/** What version 2 adds: the time by which registrations age, and the wall clock when it was written. */
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

/** Sets the database up: write-ahead log, and the schema where there is none yet. */
export function setUpDatabase(database: SqliteDatabase, busyTimeout: number): void {
  // While setting up there is nobody yet whom waiting inside SQLite could hold up.
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
        `the file has schema ${version}, this program knows up to ${SCHEMA_VERSION}`,
      );
    }
    if (version < 1) database.execute(SCHEMA);
    if (version < 2) {
      const now = Date.now();
      database.execute(CLOCK);
      database.execute(`INSERT INTO clock VALUES (1, ${now}, ${now})`);
      // After a jump of the wall clock, version 1 could leave times that are still to come.
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

/** The fields that may decide, alone or together, where to look; few kites have them in common. */
const TELLING: readonly (keyof KiteIdentity)[] = [
  "id",
  "username",
  "environment",
  "name",
  "hostname",
];

/**
 * The statement that finds the registrations with given fields. Its values are the oldest `updated_at`
 * that does not count any more, the fields, with `hasVersions` a JSON array of versions, and the limit
 * (-1 for none).
 *
 * A `+` keeps SQLite from using an index: that of updated_at, as nearly every row is young enough, and
 * those of version and region, shared by many, where there is a better one.
 */
export function selectStatement(
  fields: readonly (keyof KiteIdentity)[],
  hasVersions: boolean,
): string {
  const hasTelling = fields.some((field) => TELLING.includes(field));
  const conditions = fields.map((field) => {
    return `${hasTelling && !TELLING.includes(field) ? "+" : ""}${field} = ?`;
  });
  const versions = `${hasTelling ? "+" : ""}version IN (SELECT value FROM json_each(?))`;
  if (hasVersions) conditions.push(versions);
  const all = ["+updated_at > ?", ...conditions].join(" AND ");
  return `SELECT ${COLUMNS} FROM registration WHERE ${all} LIMIT ?`;
}

/** The statement for every version that there is: one look into the index for each of them. */
export const DISTINCT_VERSIONS = `
WITH RECURSIVE known(version) AS (
  SELECT min(version) FROM registration
  UNION ALL
  SELECT (SELECT min(version) FROM registration WHERE version > known.version) FROM known
  WHERE known.version IS NOT NULL
) SELECT version FROM known WHERE version IS NOT NULL`;

const COLUMNS =
  "username, environment, name, version, region, hostname, id, url, key_id, updated_at";

/** The registration in a row of {@linkcode selectStatement}; the table is strict about types. */
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
