import type { SqliteRow, SqliteStatement } from "../../src/runtime/sqlite.ts";
import { canonicalId, checkKeyPair, checkKnownPair } from "./check.ts";
import type { SqliteRunner } from "./sqlite_runner.ts";
import type { KeyPair, KeyPairs, OperationOptions, StoredKeyPair } from "./storage.ts";

/** The key pairs in an SQLite database. */
export class SqliteKeyPairs implements KeyPairs {
  readonly #runner: SqliteRunner;
  readonly #insert: SqliteStatement;
  readonly #delete: SqliteStatement;
  readonly #list: SqliteStatement;
  readonly #byId: SqliteStatement;
  readonly #byPublic: SqliteStatement;
  readonly #byPrivate: SqliteStatement;

  constructor(runner: SqliteRunner) {
    const { database } = runner;
    this.#runner = runner;
    this.#insert = database.prepare(
      "INSERT INTO key_pair (id, public, private, created_at) VALUES (?, ?, ?, ?)",
    );
    this.#delete = database.prepare(
      "UPDATE key_pair SET deleted_at = ? WHERE id = ? AND deleted_at IS NULL",
    );
    this.#list = database.prepare("SELECT * FROM key_pair ORDER BY number DESC");
    this.#byId = database.prepare("SELECT * FROM key_pair WHERE id = ?");
    this.#byPublic = database.prepare("SELECT * FROM key_pair WHERE public = ?");
    this.#byPrivate = database.prepare("SELECT * FROM key_pair WHERE private = ?");
  }

  add(pair: KeyPair, options?: OperationOptions): Promise<StoredKeyPair> {
    return this.#runner.writeDurably("add a key pair", options, () => {
      const checked = checkKeyPair(pair);
      const known = this.#byPublic.get(checked.public) ?? this.#byId.get(checked.id) ??
        this.#byPrivate.get(checked.private);
      if (known !== undefined) return checkKnownPair(checked, toKeyPair(known));
      const createdAt = Date.now();
      this.#insert.run(checked.id, checked.public, checked.private, createdAt);
      return { ...checked, createdAt };
    });
  }

  softDelete(id: string, options?: OperationOptions): Promise<boolean> {
    return this.#runner.writeDurably("delete a key pair", options, () => {
      return this.#delete.run(Date.now(), canonicalId(id)) > 0;
    });
  }

  list(options?: OperationOptions): Promise<StoredKeyPair[]> {
    return this.#runner.read("list the key pairs", options, () => this.#list.all().map(toKeyPair));
  }

  byId(id: string, options?: OperationOptions): Promise<StoredKeyPair | undefined> {
    return this.#find(this.#byId, canonicalId(id), options);
  }

  byPublic(publicKey: string, options?: OperationOptions): Promise<StoredKeyPair | undefined> {
    return this.#find(this.#byPublic, publicKey.trim(), options);
  }

  #find(
    statement: SqliteStatement,
    value: string,
    options: OperationOptions | undefined,
  ): Promise<StoredKeyPair | undefined> {
    return this.#runner.read("find a key pair", options, () => {
      const row = statement.get(value);
      return row === undefined ? undefined : toKeyPair(row);
    });
  }
}

function toKeyPair(row: SqliteRow): StoredKeyPair {
  const pair = {
    id: String(row.id),
    public: String(row.public),
    private: String(row.private),
    createdAt: Number(row.created_at),
  };
  return row.deleted_at === null ? pair : { ...pair, deletedAt: Number(row.deleted_at) };
}
