import type { RegistrationIndex } from "./index.ts";
import type { PostgresClient, PostgresRow } from "./postgres_client.ts";
import { milliseconds } from "./postgres_key_pairs.ts";
import { microseconds, NOW } from "./postgres_schema.ts";
import { Repeater } from "./repeater.ts";
import type { Registration } from "./storage.ts";
import type { WatchHub } from "./watch_hub.ts";
import type { Feed } from "./watch_source.ts";

/** A registration, and its `updated_at` in microseconds, by which news and old news are told apart. */
export interface StampedRegistration extends Registration {
  updatedAt: number;
  stamp: number;
}

/** Where our own Kontrols tell each other of changes. */
export const CHANNEL = "kite_registrations";

/** The columns of a registration. */
export const COLUMNS: string =
  `k.username, k.environment, k.kitename, k.version, k.region, k.hostname,
  k.id::text as id, k.url, k.key_id::text as key_id, ${microseconds("k.updated_at")} as stamp`;

/** What {@linkcode PostgresFeed} takes. */
export interface PostgresFeedOptions {
  /** Milliseconds between two looks at what no one told of. */
  readonly pollInterval: number;
  /** Milliseconds between two readings of the whole table. */
  readonly fullInterval: number;
  /** Milliseconds. */
  readonly timeToLive: number;
  /** Sees to the schema. */
  readonly ready: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** Milliseconds between two looks where there is no `LISTEN`, at the most. */
const DEAF_INTERVAL = 1_000;

/** Microseconds by which a row may become visible after the moment in its `updated_at`. */
const LATENESS = 5_000_000;

/**
 * Follows the table of registrations: what our own Kontrols do arrives as notifications, in the order
 * of their commits; what a Go Kontrol does, and what outlives its time, is found by polling. Both run
 * on one connection, which listens anew and reads everything anew whenever it was lost. Behind a
 * pooler, which passes no notifications on, polling finds it all.
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
  /** The ids that notifications told of while a poll was under way: they know better. */
  #touched: Set<string> | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;

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

  /** Several calls at once share a poll, but never one that began before them. */
  sync(): Promise<void> {
    this.#repeater.start();
    if (this.#running === undefined) return this.#begin();
    this.#next ??= this.#running.catch(() => {}).then(() => {
      this.#next = undefined;
      return this.#begin();
    });
    return this.#next;
  }

  stop(): void {
    this.#repeater.stop();
    if (this.#isListening) this.#client.reconnect();
    this.#isListening = false;
    this.#fullAt = 0;
  }

  /** The connection was lost, and every notification since then with it. */
  lost(): void {
    if (!this.#repeater.isRunning) return;
    this.#isListening = false;
    this.#fullAt = 0;
    this.#hub.suspectLoss();
  }

  /** Takes one notification: `R<stamp>:<registration>`, `D<stamp>:<id>` or `?`, see the writers. */
  hear(payload: string): void {
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
    return this.#isListening ? pollInterval : Math.min(pollInterval, DEAF_INTERVAL);
  }

  #begin(): Promise<void> {
    return this.#running = this.#poll().finally(() => this.#running = undefined);
  }

  async #poll(): Promise<void> {
    await this.#options.ready();
    if (!this.#isListening && this.#client.canListen) {
      // Set before the answer: should the connection be lost right after it, `lost` has the last word.
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

  /** Reads what is young; false when there must be more to know than that. */
  async #readChanges(): Promise<boolean> {
    const since = (performance.now() - this.#polledAt) * 1_000 + LATENESS;
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

  #put(entry: StampedRegistration, isTold: boolean): void {
    const known = this.#known.get(entry.kite.id);
    if (isTold) this.#touched?.add(entry.kite.id);
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
