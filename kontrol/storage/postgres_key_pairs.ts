import { isUuid } from "../../src/protocol/identity.ts";
import { canonicalId, checkKeyPair, checkKnownPair, isStorable } from "./check.ts";
import type { PostgresRow, PostgresValue } from "./postgres_client.ts";
import { microseconds, NOW, PLACEHOLDER_KEY } from "./postgres_schema.ts";
import type { KeyPair, KeyPairs, OperationOptions, StoredKeyPair } from "./storage.ts";

/** Runs one statement after creating the schema if needed. */
export type PostgresQuery = (
  what: string,
  statement: string,
  values: readonly PostgresValue[],
  options: OperationOptions | undefined,
) => Promise<PostgresRow[]>;

const COLUMNS = `id, public, private, ${microseconds("created_at")} as created,
  ${microseconds("deleted_at")} as deleted`;
const SELECT = `select ${COLUMNS} from kite.key where public <> '${PLACEHOLDER_KEY}'`;

/** The key pairs in PostgreSQL, in the table of the Go Kontrol. */
export class PostgresKeyPairs implements KeyPairs {
  readonly #query: PostgresQuery;

  constructor(query: PostgresQuery) {
    this.#query = query;
  }

  async add(pair: KeyPair, options?: OperationOptions): Promise<StoredKeyPair> {
    const checked = checkKeyPair(pair);
    const what = "add a key pair";
    const [added] = await this.#query(
      what,
      `insert into kite.key (id, public, private, created_at) values ($1::uuid, $2, $3, ${NOW})
        on conflict do nothing returning ${COLUMNS}`,
      [checked.id, checked.public, checked.private],
      options,
    );
    if (added !== undefined) return toKeyPair(added);
    const [known] = await this.#query(
      what,
      `${SELECT} and (public = $2 or id = $1::uuid or private = $3) order by public = $2 desc limit 1`,
      [checked.id, checked.public, checked.private],
      options,
    );
    return checkKnownPair(checked, known && toKeyPair(known));
  }

  async softDelete(id: string, options?: OperationOptions): Promise<boolean> {
    if (!isUuid(id)) return false;
    const rows = await this.#query(
      "delete a key pair",
      `update kite.key set deleted_at = greatest(${NOW}, created_at)
        where id = $1::uuid and deleted_at is null returning 1`,
      [canonicalId(id)],
      options,
    );
    return rows.length > 0;
  }

  async list(options?: OperationOptions): Promise<StoredKeyPair[]> {
    const statement = `${SELECT} order by created_at desc`;
    return (await this.#query("list the key pairs", statement, [], options)).map(toKeyPair);
  }

  byId(id: string, options?: OperationOptions): Promise<StoredKeyPair | undefined> {
    if (!isUuid(id)) return Promise.resolve(undefined);
    return this.#find(`${SELECT} and id = $1::uuid`, canonicalId(id), options);
  }

  byPublic(publicKey: string, options?: OperationOptions): Promise<StoredKeyPair | undefined> {
    if (!isStorable(publicKey)) return Promise.resolve(undefined);
    return this.#find(`${SELECT} and public = $1`, publicKey.trim(), options);
  }

  async #find(
    statement: string,
    value: string,
    options: OperationOptions | undefined,
  ): Promise<StoredKeyPair | undefined> {
    const [row] = await this.#query("find a key pair", statement, [value], options);
    return row === undefined ? undefined : toKeyPair(row);
  }
}

function toKeyPair(row: PostgresRow): StoredKeyPair {
  const pair = {
    id: String(row.id),
    public: String(row.public),
    private: String(row.private),
    createdAt: milliseconds(row.created),
  };
  return row.deleted === null ? pair : { ...pair, deletedAt: milliseconds(row.deleted) };
}

/** Converts the result of `microseconds` to milliseconds since 1970. */
export function milliseconds(value: unknown): number {
  return Math.floor(Number(value) / 1_000);
}
