import type { SqliteStatement } from "../../src/runtime/sqlite.ts";
import { MAX_INVITES, tooManyInvites } from "./check.ts";
import type { SqliteRunner } from "./sqlite_runner.ts";
import type { Invite, Invites, OperationOptions } from "./storage.ts";

/** The invites in an SQLite database. */
export class SqliteInvites implements Invites {
  readonly #runner: SqliteRunner;
  readonly #insert: SqliteStatement;
  readonly #expire: SqliteStatement;
  readonly #count: SqliteStatement;
  readonly #redeem: SqliteStatement;

  constructor(runner: SqliteRunner) {
    const { database } = runner;
    this.#runner = runner;
    this.#insert = database.prepare("INSERT INTO invite VALUES (?, ?, ?)");
    this.#expire = database.prepare("DELETE FROM invite WHERE expires_at <= ?");
    this.#count = database.prepare("SELECT count(*) AS invites FROM invite");
    this.#redeem = database.prepare(
      "DELETE FROM invite WHERE id = ? AND expires_at > ? AND username IN ('', ?)",
    );
  }

  add({ id, username, expiresAt }: Invite, options?: OperationOptions): Promise<void> {
    return this.#runner.writeDurably("add an invite", options, () => {
      this.#expire.run(Date.now());
      if (Number(this.#count.get()?.invites) >= MAX_INVITES) throw tooManyInvites();
      this.#insert.run(id, username, expiresAt);
    });
  }

  redeem(id: string, username: string, options?: OperationOptions): Promise<boolean> {
    return this.#runner.writeDurably("redeem an invite", options, () => {
      return this.#redeem.run(id, Date.now(), username) > 0;
    });
  }
}
