import { KiteError } from "../protocol/errors.ts";
import { fileFailure } from "./files.ts";
import { builtinModule, isAllowed } from "./host.ts";

/** Bytes that SQLite's shared memory and log take at once. */
const LEAST_SPACE = 131_072;

/** A value in a row, or bound to a statement. */
export type SqliteValue = null | number | string;

/** One row: the columns by their names. */
export type SqliteRow = Record<string, SqliteValue>;

/** A statement, ready to run with a value for each of its `?`. */
export interface SqliteStatement {
  /** The first row. */
  get(...values: SqliteValue[]): SqliteRow | undefined;
  /** Every row. */
  all(...values: SqliteValue[]): SqliteRow[];
  /** How many rows it changed. */
  run(...values: SqliteValue[]): number;
}

/** A query, ready to run with a value for each of its `?`; a row is a list of its columns. */
export type SqliteQuery = (...values: SqliteValue[]) => SqliteValue[][];

/** An open SQLite database. Everything it does is done when the call returns. */
export interface SqliteDatabase {
  /** Runs statements that take no values. */
  execute(sql: string): void;
  /** Prepares a statement. It throws at once when the SQL is wrong. */
  prepare(sql: string): SqliteStatement;
  /** Prepares a query whose rows are read as lists: less than half the work of objects. */
  prepareQuery(sql: string): SqliteQuery;
  /** Closes it; harmless when it is closed. */
  close(): void;
}

const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const PRIMARY_CODE = 0xff;

/**
 * Opens a database with the SQLite that the runtime carries (Deno 2.2, Node 22.5 and later), or makes
 * it: a new file is readable by its owner alone.
 *
 * @param path a file, or `":memory:"`.
 * @throws {KiteError} `configError`: no SQLite here, or the file cannot be opened.
 */
export function openSqlite(path: string): SqliteDatabase {
  if (path !== ":memory:") prepareFile(path);
  const sqlite = builtinModule("node:sqlite");
  if (sqlite === undefined) {
    throw new KiteError("configError", "this runtime has no SQLite (Deno 2.2, Node 22.5 have it)");
  }
  try {
    return wrap(new sqlite.DatabaseSync(path));
  } catch (error) {
    throw cannotOpen(path, error);
  }
}

/**
 * True for the error of a database that another process holds locked: the same may work later. Deno
 * says so of statements that were prepared, not of {@linkcode SqliteDatabase.execute}.
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
    prepareQuery: (sql) => {
      const statement = database.prepare(sql);
      // Deno 2.2 and Node 22.5 do not have it yet.
      const { setReturnArrays } = statement as { setReturnArrays?: (enabled: boolean) => void };
      if (setReturnArrays === undefined) {
        return (...values) => statement.all(...values).map(Object.values) as SqliteValue[][];
      }
      setReturnArrays.call(statement, true);
      return (...values) => statement.all(...values) as unknown as SqliteValue[][];
    },
    close: () => {
      if (database.isOpen) database.close();
    },
  };
}

/** SQLite itself would make the file readable by all, and there will be private keys in it. */
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
 * The reason why a database cannot be set up, where the disk is that: SQLite itself often reports an
 * I/O error alone.
 *
 * @returns Undefined if files beside the database can be written.
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
