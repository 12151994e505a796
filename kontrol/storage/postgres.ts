import { isUuid } from "../../src/protocol/identity.ts";
import type { KontrolQuery } from "../../src/protocol/query.ts";
import { canonicalId, checkRegistration, idTakenError, missingKeyPairError } from "./check.ts";
import { ignoreError } from "./failure.ts";
import { RegistrationIndex } from "./registration_index.ts";
import { createMatcher, type Matcher } from "./matcher.ts";
import {
  PostgresClient,
  type PostgresRow,
  type PostgresValue,
  sqlStateOf,
} from "./postgres_client.ts";
import {
  CHANNEL,
  COLUMNS,
  PostgresFeed,
  type StampedRegistration,
  toStamped,
} from "./postgres_feed.ts";
import { checkPostgresOptions, DEFAULTS, type PostgresStorageOptions } from "./postgres_options.ts";
import { PostgresServer } from "./postgres_route.ts";
import { PostgresInvites } from "./postgres_invites.ts";
import { PostgresKeyPairs } from "./postgres_key_pairs.ts";
import { microseconds, NOW, setUpSchema } from "./postgres_schema.ts";
import { RecentReads } from "./recent_reads.ts";
import { Repeater } from "./repeater.ts";
import {
  DEFAULT_OPERATION_TIMEOUT,
  DEFAULT_TIME_TO_LIVE,
  type DeleteOptions,
  type GetOptions,
  type Invites,
  type KeyPairs,
  type LossListener,
  type OperationOptions,
  type Registration,
  type Storage,
  type StorageListener,
  type Watch,
} from "./storage.ts";
import { OwnedIds } from "./owned_ids.ts";
import { plain } from "./watch_hub.ts";
import { WatchSource } from "./watch_source.ts";

/** Rows refreshed by one statement. */
const REFRESH_BATCH = 1_000;

/** Maximum number of bytes of a notification; PostgreSQL's limit is 8,000. */
const MAX_PAYLOAD = 7_900;

const FOREIGN_KEY_VIOLATION = "23503";

/**
 * A storage in PostgreSQL, in the same tables as the Go Kontrol; both can use a database at the same
 * time. Creates the schema if it does not exist.
 *
 * @example
 * ```ts
 * import { PostgresStorage } from "@kite/kite/kontrol";
 *
 * // Connects on the first operation.
 * await using storage = new PostgresStorage({ username: "kontrol", database: "kontrol" });
 * console.assert(storage.kind === "postgres");
 * ```
 */
export class PostgresStorage implements Storage {
  readonly kind = "postgres";
  readonly keyPairs: KeyPairs;
  readonly invites: Invites;
  readonly #timeToLive: number;
  readonly #server: PostgresServer;
  readonly #client: PostgresClient;
  readonly #watchClient: PostgresClient;
  readonly #watches: WatchSource<StampedRegistration>;
  readonly #cleaner: Repeater;
  /** By ID, the `updated_at` that this storage object last wrote; others write another value. */
  readonly #ours: OwnedIds;
  readonly #recent: RecentReads;
  #feed: PostgresFeed | undefined;
  #setUp: Promise<void> | undefined;

  /**
   * Connects on the first operation.
   *
   * @throws {KiteError} `configError` that names the invalid option
   */
  constructor(options: PostgresStorageOptions) {
    checkPostgresOptions(options);
    const { connections, pollInterval, fullInterval, cleanInterval, freshness } = {
      ...DEFAULTS,
      ...options,
    };
    this.#recent = new RecentReads(freshness);
    const onError = options.onError ?? ignoreError;
    const timeout = options.operationTimeout ?? DEFAULT_OPERATION_TIMEOUT;
    const timeToLive = this.#timeToLive = options.timeToLive ?? DEFAULT_TIME_TO_LIVE;
    this.#ours = new OwnedIds(timeToLive);
    const server = this.#server = new PostgresServer(options, timeout);
    this.#client = new PostgresClient(server, { connections, timeout });
    const known = new RegistrationIndex<StampedRegistration>();
    this.#watchClient = new PostgresClient(server, {
      connections: 1,
      timeout,
      onNotify: (payload) => this.#feed?.receive(payload),
      onClose: () => this.#feed?.connectionLost(),
    });
    this.#watches = new WatchSource(known, this.kind, timeout, onError, (hub) => {
      const ready = (): Promise<void> => this.#ready();
      const settings = { pollInterval, fullInterval, timeToLive, ready, onError };
      return this.#feed = new PostgresFeed(this.#watchClient, known, hub, settings);
    });
    this.keyPairs = new PostgresKeyPairs((...args) => this.#query(...args));
    this.invites = new PostgresInvites((...args) => this.#query(...args));
    this.#cleaner = new Repeater(cleanInterval, () => this.#clean(), onError);
  }

  async get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]> {
    // The signal of one caller must not end the read of another one.
    if (options?.signal !== undefined) return await this.#get(query, options);
    const name = JSON.stringify([query, options?.limit]);
    return await this.#recent.get(name, () => this.#get(query, options));
  }

  async #get(query: KontrolQuery, options: GetOptions | undefined): Promise<Registration[]> {
    const matcher = createMatcher(query);
    const limit = options?.limit ?? Infinity;
    const { fitsVersion } = matcher;
    const what = "read the registrations";
    let versions: string[] | undefined;
    if (fitsVersion !== undefined && matcher.canMatch) {
      const known = await this.#query(what, VERSIONS, [], options);
      versions = known.map((row) => String(row.version)).filter(fitsVersion);
      if (versions.length === 0) return [];
    }
    const { statement, values } = this.#select(matcher, versions, limit);
    return (await this.#query(what, statement, values, options)).map(toStamped).map(plain);
  }

  async upsert(registration: Registration, options?: OperationOptions): Promise<void> {
    const { kite, url, keyId } = checkRegistration(registration);
    const payload = JSON.stringify({ kite, url, keyId });
    const fits = new TextEncoder().encode(payload).length < MAX_PAYLOAD;
    const values = [
      ...[kite.username, kite.environment, kite.name, kite.version, kite.region, kite.hostname],
      ...[kite.id, url, keyId, this.#timeToLive * 1_000, fits ? payload : null],
    ];
    let row: PostgresRow | undefined;
    try {
      [row] = await this.#query("add a registration", UPSERT, values, options);
    } catch (error) {
      throw sqlStateOf(error) === FOREIGN_KEY_VIOLATION ? missingKeyPairError(keyId) : error;
    }
    this.#recent.clear();
    if (row === undefined) throw idTakenError(kite.id);
    this.#ours.set(kite.id, String(row.stamp));
    this.#notifyOwnFeed(`R${row.stamp}:${payload}`);
  }

  async refresh(ids: readonly string[], options?: OperationOptions): Promise<string[]> {
    const missing: string[] = [];
    for (let start = 0; start < ids.length; start += REFRESH_BATCH) {
      const batch = ids.slice(start, start + REFRESH_BATCH);
      const uuids = batch.filter(isUuid).join();
      const values = [`{${uuids}}`, this.#timeToLive * 1_000];
      const rows = await this.#query("refresh the registrations", REFRESH, values, options);
      const alive = new Map(rows.map((row) => [String(row.id), row]));
      for (const id of batch) {
        const row = alive.get(canonicalId(id));
        if (row === undefined) missing.push(id);
        this.#keepOurs(canonicalId(id), row);
      }
    }
    return missing;
  }

  async delete(id: string, options?: DeleteOptions): Promise<boolean> {
    const canonical = canonicalId(id);
    const stamp = options?.ifOurs === true ? this.#ours.get(canonical) ?? "0" : null;
    const values = [isUuid(id) ? canonical : null, stamp, this.#timeToLive * 1_000];
    const [row] = await this.#query("delete a registration", DELETE, values, options);
    this.#recent.clear();
    this.#ours.delete(canonical);
    if (row !== undefined) this.#notifyOwnFeed(`D${row.stamp}:${canonical}`);
    return row?.is_live === true;
  }

  async watch(
    query: KontrolQuery,
    listener: StorageListener,
    options?: OperationOptions,
  ): Promise<Watch> {
    return await this.#watches.watch(createMatcher(query), listener, options);
  }

  onLoss(listener: LossListener): Disposable {
    return this.#watches.onLoss(listener);
  }

  async count(options?: OperationOptions): Promise<Map<string, number>> {
    const values = [this.#timeToLive * 1_000];
    const rows = await this.#query("count the registrations", COUNT, values, options);
    return new Map(rows.map((row) => [String(row.environment), Number(row.kites)]));
  }

  async ready(options?: OperationOptions): Promise<void> {
    await this.#query("reach the tables", READY, [], options);
  }

  /** Ends running watches and operations, and closes every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#cleaner.stop();
    this.#watches.close();
    await Promise.all([this.#client.close(), this.#watchClient.close()]);
  }

  /** Passes a change to this storage's own watches if no notification will arrive. */
  #notifyOwnFeed(payload: string): void {
    if (!this.#server.canListen) this.#feed?.receive(payload);
  }

  async #query(
    what: string,
    statement: string,
    values: readonly PostgresValue[],
    options: OperationOptions | undefined,
  ): Promise<PostgresRow[]> {
    await this.#ready();
    return await this.#client.query(what, statement, values, options);
  }

  /** Creates the schema on first use; retries after a failure. */
  #ready(): Promise<void> {
    return this.#setUp ??= setUpSchema(this.#client).then(() => this.#cleaner.start(), (error) => {
      this.#setUp = undefined;
      throw error;
    });
  }

  #select(
    matcher: Matcher,
    versions: readonly string[] | undefined,
    limit: number,
  ): { statement: string; values: PostgresValue[] } {
    const values: PostgresValue[] = [this.#timeToLive * 1_000];
    let statement = `select ${COLUMNS} from kite.kite k where ${isLive("$1")}`;
    if (!matcher.canMatch) return { statement: `${statement} and false`, values };
    for (const [field, value] of Object.entries(matcher.equal)) {
      const parameter = `$${values.push(value)}`;
      const column = field === "name" ? "kitename" : field;
      statement += ` and k.${column} = ${parameter}${field === "id" ? "::uuid" : ""}`;
    }
    if (versions !== undefined) {
      const parameter = `$${values.push(JSON.stringify(versions))}`;
      statement +=
        ` and k.version in (select jsonb_array_elements_text(${parameter}::text::jsonb))`;
    }
    if (Number.isFinite(limit)) {
      statement += ` limit $${values.push(Math.max(Math.trunc(limit), 0))}`;
    }
    return { statement, values };
  }

  /** After a refresh, keeps a kite as ours unless another Kontrol has written its row since. */
  #keepOurs(id: string, row: PostgresRow | undefined): void {
    const stamp = this.#ours.get(id);
    if (stamp === undefined) return;
    if (row !== undefined && row.old_stamp === stamp) this.#ours.set(id, String(row.stamp));
    else this.#ours.delete(id);
  }

  async #clean(): Promise<void> {
    await this.#client.query("remove expired rows", CLEAN, [this.#timeToLive * 1_000]);
  }
}

/** The condition for rows that have not expired; `parameter` is the time to live in microseconds. */
function isLive(parameter: string): string {
  return `k.updated_at > ${NOW} - ${parameter}::bigint * interval '1 microsecond'`;
}

const STAMP = microseconds("updated_at");

// Returns no row if the ID belongs to a live row of another user, which stays unchanged.
const UPSERT = `with put as (
  insert into kite.kite as k (username, environment, kitename, version, region, hostname, id, url,
    created_at, updated_at, key_id)
  values ($1, $2, $3, $4, $5, $6, $7::uuid, $8, ${NOW}, ${NOW}, $9::uuid)
  on conflict (id) do update set username = excluded.username, environment = excluded.environment,
    kitename = excluded.kitename, version = excluded.version, region = excluded.region,
    hostname = excluded.hostname, url = excluded.url, key_id = excluded.key_id, updated_at = ${NOW}
  where k.username = excluded.username or not (${isLive("$10")})
  returning ${STAMP} as stamp)
select stamp, pg_notify('${CHANNEL}', coalesce('R' || stamp || ':' || $11::text, '?')) from put`;

// Locks rows in a fixed order, so that concurrent refreshes do not deadlock.
const REFRESH = `update kite.kite k set updated_at = ${NOW} from (
  select id, updated_at from kite.kite k where id = any ($1::text::uuid[]) and ${isLive("$2")}
  order by id for update) old
where k.id = old.id
returning k.id::text as id, ${microseconds("old.updated_at")} as old_stamp,
  ${microseconds("k.updated_at")} as stamp`;

const DELETE = `with gone as (
  delete from kite.kite k where id = $1::uuid and ($2::bigint is null or ${STAMP} = $2::bigint)
  returning id, ${STAMP} as stamp, ${isLive("$3")} as is_live)
select is_live, stamp, pg_notify('${CHANNEL}', 'D' || stamp || ':' || id) from gone`;

const VERSIONS = "select distinct version from kite.kite";

const COUNT = `select environment, count(*) as kites from kite.kite k
  where ${isLive("$1")} group by environment`;

const CLEAN = `delete from kite.kite k where not (${isLive("$1")})`;

const READY = `select (select count(*) from (select from kite.kite limit 1) k),
  (select count(*) from (select from kite.key limit 1) k)`;
