import type { PostgresClient } from "./postgres_client.ts";

/** The current time, as written to all timestamps of this schema (docs/kontrol-protocol.md §7). */
export const NOW = "(now() at time zone 'utc')";

/** The SQL for the microseconds since 1970 of a timestamp that was written with {@linkcode NOW}. */
export function microseconds(expression: string): string {
  return `(extract(epoch from ${expression}::timestamp) * 1000000)::bigint`;
}

/** The public key in the placeholder row that a Go Kontrol without its own key pair inserts. */
export const PLACEHOLDER_KEY = "kontrol-self";

const EXISTS = `select 1 from pg_catalog.pg_class c
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = 'kite' and c.relname in ('kite', 'key') and c.relkind in ('r', 'p')
  having count(*) = 2`;

// Tables, columns and constraints are those of the Go Kontrol. It reads the columns of kite.kite by
// position, so none can be added. The indexes are ours: any combination of username, environment and
// kitename is a prefix of one of the first three. The lock serializes Kontrols that start at once.
const SCHEMA = `do $$
begin
  perform pg_advisory_xact_lock(hashtext('kite.schema'));
  create schema if not exists kite;
  create table if not exists kite.key (
    id uuid primary key default gen_random_uuid(),
    public text not null constraint key_public_unique unique,
    private text not null constraint key_private_unique unique,
    created_at timestamptz not null default ${NOW},
    deleted_at timestamptz,
    constraint key_created_at_lte_deleted_at_check check (created_at <= deleted_at)
  );
  create unlogged table if not exists kite.kite (
    username text not null,
    environment text not null,
    kitename text not null,
    version text not null,
    region text not null,
    hostname text not null,
    id uuid primary key,
    url text not null,
    created_at timestamptz not null default ${NOW},
    updated_at timestamptz not null default ${NOW},
    key_id uuid not null constraint kite_key_id_fkey references kite.key (id)
  );
  create index if not exists kite_updated_at_btree_idx on kite.kite (updated_at desc);
  create index if not exists kite_username_idx on kite.kite (username, environment, kitename);
  create index if not exists kite_kitename_idx on kite.kite (kitename, username);
  create index if not exists kite_environment_idx on kite.kite (environment, kitename);
  create index if not exists kite_version_idx on kite.kite (version);
  create index if not exists kite_region_idx on kite.kite (region);
  create index if not exists kite_hostname_idx on kite.kite (hostname);
  if exists (select from pg_catalog.pg_roles where rolname = 'kontrol') then
    grant usage on schema kite to kontrol;
    grant select, insert, update on kite.key to kontrol;
    grant select, insert, update, delete on kite.kite to kontrol;
  end if;
end $$`;

/** Creates the schema if it does not exist; leaves an existing one unchanged. */
export async function setUpSchema(client: PostgresClient): Promise<void> {
  const found = await client.query("look for the schema", EXISTS);
  if (found.length === 0) await client.query("create the schema kite", SCHEMA);
}
