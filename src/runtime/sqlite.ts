import { KiteError } from "../protocol/errors.ts";
import { fileFailure } from "./files.ts";
import { builtinModule, isAllowed } from "./platform.ts";

/** Bytes that SQLite needs at first for its shared memory and log. */
const LEAST_SPACE = 131_072;

/** A value in a row, or bound to a statement. */
export type SqliteValue = null | number | string;

/** One row: values by column name. */
export type SqliteRow = Record<string, SqliteValue>;

/** A prepared statement, which takes a value for each `?`. */
export interface SqliteStatement {
  /** Returns the first row. */
  get(...values: SqliteValue[]): SqliteRow | undefined;
  /** Returns all rows. */
  all(...values: SqliteValue[]): SqliteRow[];
  /** Runs the statement. Returns the number of changed rows. */
  run(...values: SqliteValue[]): number;
}

/** An open SQLite database. All methods are synchronous. */
export interface SqliteDatabase {
  /** Runs statements without parameters. */
  execute(sql: string): void;
  /** Prepares a statement. Throws if the SQL is invalid. */
  prepare(sql: string): SqliteStatement;
  /** Closes the database. Idempotent. */
  close(): void;
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const PRIMARY_CODE = 0xff;

/**
 * Opens or creates a database with the built-in SQLite of the runtime (Deno 2.2, Node 22.5 or later).
 * Only its owner can read a new file.
 *
 * @param path a file, or `":memory:"`
 * @throws {KiteError} `configError` if the runtime has no SQLite, or the file cannot be opened
 */
export function openSqlite(path: string): SqliteDatabase {
  if (path !== ":memory:") prepareFile(path);
  const sqlite = builtinModule("node:sqlite");
  if (sqlite === undefined) {
    const reason = "this runtime has no SQLite; use Deno 2.2 or Node 22.5, or later";
    throw new KiteError("configError", `Cannot open the database ${path}: ${reason}`);
  }
  try {
    return wrap(new sqlite.DatabaseSync(path));
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

/**
 * True for the error of a database that another process has locked; the operation can be retried.
 * Deno reports this for prepared statements, but not for {@linkcode SqliteDatabase.execute}.
 */
export function isSqliteBusy(error: unknown): boolean {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  if (typeof code !== "number") return false;
  return (code & PRIMARY_CODE) === SQLITE_BUSY || (code & PRIMARY_CODE) === SQLITE_LOCKED;
}

function wrap(database: import("node:sqlite").DatabaseSync): SqliteDatabase {
  return {
    execute: (sql) => database.exec(sql),
    prepare: (sql) => {
      const statement = database.prepare(sql);
      return {
        get: (...values) => statement.get(...values) as SqliteRow | undefined,
        all: (...values) => statement.all(...values) as SqliteRow[],
        run: (...values) => Number(statement.run(...values).changes),
      };
    },
    close: () => {
      if (database.isOpen) database.close();
    },
  };
}

/** Creates the file for its owner only, since it holds private keys. SQLite would not restrict it. */
function prepareFile(path: string): void {
  if (!isAllowed({ name: "read", path }) || !isAllowed({ name: "write", path })) {
    throw new KiteError(
      "configError",
      `Cannot open the database ${path}: Deno needs --allow-read and --allow-write for its directory`,
    );
  }
  const fs = builtinModule("node:fs");
  try {
    const file = fs?.openSync(path, "a", 0o600);
    if (file !== undefined) fs?.closeSync(file);
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

/**
 * Checks whether the disk is the reason why a database cannot be set up, since SQLite often reports
 * only an I/O error.
 *
 * @returns the reason; undefined if files next to the database can be written
 */
export function diskFailure(path: string): string | undefined {
  const fs = builtinModule("node:fs");
  if (fs === undefined || path === ":memory:") return undefined;
  const probe = `${path}.${crypto.randomUUID()}.tmp`;
  try {
    fs.writeFileSync(probe, new Uint8Array(LEAST_SPACE), { flag: "wx", mode: 0o600 });
    return undefined;
  } catch (error) {
    return fileFailure(error);
  } finally {
    fs.rmSync(probe, { force: true });
  }
}

function cannotOpen(path: string, error: unknown): KiteError {
  const message = `Cannot open the database ${path}: ${fileFailure(error)}`;
  return new KiteError("configError", message, { cause: error });
}
