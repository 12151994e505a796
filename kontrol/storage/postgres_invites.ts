import { MAX_INVITES, tooManyInvites } from "./check.ts";
import { sqlStateOf } from "./postgres_client.ts";
import type { PostgresQuery } from "./postgres_key_pairs.ts";
import type { Invite, Invites, OperationOptions } from "./storage.ts";

const UNDEFINED_TABLE = "42P01";

// Not part of the Go Kontrol's schema, so it is created only when the first invite is added.
const TABLE = `do $$
begin
  perform pg_advisory_xact_lock(hashtext('kite.schema'));
  create table if not exists kite.invite (
    id text primary key,
    username text not null,
    expires_at bigint not null
  );
  if exists (select from pg_catalog.pg_roles where rolname = 'kontrol') then
    grant select, insert, delete on kite.invite to kontrol;
  end if;
end $$`;

/** The invites in PostgreSQL: the table `kite.invite`, with times in milliseconds. */
export class PostgresInvites implements Invites {
  readonly #query: PostgresQuery;

  constructor(query: PostgresQuery) {
    this.#query = query;
  }

  async add(invite: Invite, options?: OperationOptions): Promise<void> {
    try {
      await this.#insert(invite, options);
    } catch (error) {
      if (sqlStateOf(error) !== UNDEFINED_TABLE) throw error;
      await this.#query("create the table kite.invite", TABLE, [], options);
      await this.#insert(invite, options);
    }
  }

  async redeem(id: string, username: string, options?: OperationOptions): Promise<boolean> {
    try {
      const rows = await this.#query(
        "redeem an invite",
        `delete from kite.invite
          where id = $1 and expires_at > $2::bigint and username in ('', $3) returning 1`,
        [id, Date.now(), username],
        options,
      );
      return rows.length > 0;
    } catch (error) {
      if (sqlStateOf(error) === UNDEFINED_TABLE) return false;
      throw error;
    }
  }

  async #insert(
    { id, username, expiresAt }: Invite,
    options: OperationOptions | undefined,
  ): Promise<void> {
    const rows = await this.#query(
      "add an invite",
      `with gone as (delete from kite.invite where expires_at <= $4::bigint)
        insert into kite.invite select $1, $2, $3::bigint
        where (select count(*) from kite.invite where expires_at > $4::bigint) < ${MAX_INVITES}
        returning 1`,
      [id, username, expiresAt, Date.now()],
      options,
    );
    if (rows.length === 0) throw tooManyInvites();
  }
}
