import { SharedReads } from "../shared_reads.ts";
import type { RegistrationIndex } from "./registration_index.ts";
import type { PostgresClient, PostgresRow } from "./postgres_client.ts";
import { milliseconds } from "./postgres_key_pairs.ts";
import { microseconds, NOW } from "./postgres_schema.ts";
import { Repeater } from "./repeater.ts";
import type { Registration } from "./storage.ts";
import type { WatchHub } from "./watch_hub.ts";
import type { Feed } from "./watch_source.ts";

/** A registration, and its `updated_at` in microseconds, by which outdated changes are detected. */
export interface StampedRegistration extends Registration {
  updatedAt: number;
  stamp: number;
}

/** The notification channel of these Kontrols; Go Kontrols do not use it. */
export const CHANNEL = "kite_registrations";

/** The columns of a registration. */
export const COLUMNS: string =
  `k.username, k.environment, k.kitename, k.version, k.region, k.hostname,
  k.id::text as id, k.url, k.key_id::text as key_id, ${microseconds("k.updated_at")} as stamp`;

/** The options of {@linkcode PostgresFeed}. */
export interface PostgresFeedOptions {
  /** Milliseconds between two polls for changes without a notification. */
  readonly pollInterval: number;
  /** Milliseconds between two full reads of the table. */
  readonly fullInterval: number;
  /** Milliseconds. */
  readonly timeToLive: number;
  /** Resolves once the schema exists. */
  readonly ready: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Maximum number of milliseconds between two polls without notifications. */
const MAX_INTERVAL_WITHOUT_LISTEN = 1_000;

/** Microseconds between a row's `updated_at` and the commit that makes it visible, at most. */
const MAX_COMMIT_DELAY = 5_000_000;

/**
 * Keeps a hub in sync with the table of registrations. Changes of these Kontrols arrive as
 * notifications, in commit order; polling finds changes of Go Kontrols and expired rows. Both use one
 * connection; after it was lost, the feed listens again and rereads everything. Behind a pooler, which
 * passes no notifications, polling finds all changes.
 */
export class PostgresFeed implements Feed {
  readonly #client: PostgresClient;
  readonly #known: RegistrationIndex<StampedRegistration>;
  readonly #hub: WatchHub<StampedRegistration>;
  readonly #options: PostgresFeedOptions;
  readonly #repeater: Repeater;
  #isListening = false;
  #fullAt = 0;
  #polledAt = 0;
  /** IDs with notifications during the current poll, which are newer than its result. */
  #touched: Set<string> | undefined;
  readonly #polls = new SharedReads<void>();

  constructor(
    client: PostgresClient,
    known: RegistrationIndex<StampedRegistration>,
    hub: WatchHub<StampedRegistration>,
    options: PostgresFeedOptions,
  ) {
    this.#client = client;
    this.#known = known;
    this.#hub = hub;
    this.#options = options;
    this.#repeater = new Repeater(() => this.#pause(), () => this.sync(), options.onError);
  }

  sync(): Promise<void> {
    this.#repeater.start();
    return this.#polls.get("", () => this.#poll());
  }

  stop(): void {
    this.#repeater.stop();
    if (this.#isListening) this.#client.reconnect();
    this.#isListening = false;
    this.#fullAt = 0;
  }

  /** Call it when the connection was lost, since notifications may have been missed. */
  connectionLost(): void {
    if (!this.#repeater.isRunning) return;
    this.#isListening = false;
    this.#fullAt = 0;
    this.#hub.suspectLoss();
  }

  /**
   * Applies a notification.
   *
   * @param payload `R<stamp>:<registration>`, `D<stamp>:<id>`, or `?` if the registration was too long
   */
  receive(payload: string): void {
    if (!this.#repeater.isRunning) return;
    const colon = payload.indexOf(":");
    const stamp = Number(payload.slice(1, colon));
    const body = payload.slice(colon + 1);
    if (payload.startsWith("R")) this.#put(readRegistration(body, stamp), true);
    else if (payload.startsWith("D")) this.#remove(body, stamp);
    else {
      this.#fullAt = 0;
      this.sync().catch(this.#options.onError);
    }
  }

  #pause(): number {
    const { pollInterval } = this.#options;
    return this.#isListening ? pollInterval : Math.min(pollInterval, MAX_INTERVAL_WITHOUT_LISTEN);
  }

  async #poll(): Promise<void> {
    await this.#options.ready();
    if (!this.#isListening && this.#client.canListen) {
      // Set before the query, so that a `connectionLost` right after it is not overwritten.
      this.#isListening = true;
      this.#fullAt = 0;
      await this.#client.query("listen for changes", `listen ${CHANNEL}`).catch((error) => {
        this.#isListening = false;
        throw error;
      });
    }
    this.#touched = new Set();
    try {
      const isFull = performance.now() - this.#fullAt > this.#options.fullInterval ||
        this.#fullAt === 0;
      if (isFull || !await this.#readChanges()) await this.#readAll();
    } finally {
      this.#touched = undefined;
    }
  }

  /** Reads recently changed rows; returns false if the known state is still incomplete. */
  async #readChanges(): Promise<boolean> {
    const since = (performance.now() - this.#polledAt) * 1_000 + MAX_COMMIT_DELAY;
    const begin = performance.now();
    const rows = await this.#client.query("read the changes", READ_CHANGES, [
      Math.ceil(since),
      this.#options.timeToLive * 1_000,
    ]);
    this.#polledAt = begin;
    for (const row of rows) if (row.id !== null) this.#put(toStamped(row), false);
    const { now, total } = rows[0] ?? {};
    const oldest = Number(now) - this.#options.timeToLive * 1_000;
    for (const entry of [...this.#known.values()]) {
      if (entry.stamp <= oldest && !this.#touched?.has(entry.kite.id)) {
        this.#hub.remove(entry.kite.id);
      }
    }
    return Number(total) === this.#known.size;
  }

  async #readAll(): Promise<void> {
    const begin = performance.now();
    const rows = await this.#client.query("read the registrations", READ_ALL, [
      this.#options.timeToLive * 1_000,
    ]);
    this.#polledAt = this.#fullAt = begin;
    const present = new Map(rows.map((row) => [String(row.id), row]));
    for (const { kite: { id } } of [...this.#known.values()]) {
      if (!present.has(id) && !this.#touched?.has(id)) this.#hub.remove(id);
    }
    for (const [id, row] of present) {
      if (!this.#touched?.has(id)) this.#hub.put(toStamped(row));
    }
  }

  #put(entry: StampedRegistration, isNotification: boolean): void {
    const known = this.#known.get(entry.kite.id);
    if (isNotification) this.#touched?.add(entry.kite.id);
    else if (this.#touched?.has(entry.kite.id)) return;
    if (known !== undefined && known.stamp >= entry.stamp) return;
    this.#hub.put(entry);
  }

  #remove(id: string, stamp: number): void {
    this.#touched?.add(id);
    const known = this.#known.get(id);
    if (known !== undefined && known.stamp <= stamp) this.#hub.remove(id);
  }
}

const AGE = "interval '1 microsecond'";

const READ_CHANGES = `select ${COLUMNS}, n.now, n.total from
  (select ${microseconds(NOW)} as now, (select count(*) from kite.kite
    where updated_at > ${NOW} - $2::bigint * ${AGE}) as total) n
  left join kite.kite k on k.updated_at >= ${NOW} - $1::bigint * ${AGE}
    and k.updated_at > ${NOW} - $2::bigint * ${AGE}`;

const READ_ALL = `select ${COLUMNS} from kite.kite k
  where k.updated_at > ${NOW} - $1::bigint * ${AGE}`;

/** A registration from a row of {@linkcode COLUMNS}. */
export function toStamped(row: PostgresRow): StampedRegistration {
  const stamp = Number(row.stamp);
  return {
    kite: {
      username: String(row.username),
      environment: String(row.environment),
      name: String(row.kitename),
      version: String(row.version),
      region: String(row.region),
      hostname: String(row.hostname),
      id: String(row.id),
    },
    url: String(row.url),
    keyId: String(row.key_id),
    updatedAt: milliseconds(stamp),
    stamp,
  };
}

function readRegistration(text: string, stamp: number): StampedRegistration {
  const { kite, url, keyId }: Registration = JSON.parse(text);
  return { kite, url, keyId, updatedAt: milliseconds(stamp), stamp };
}
