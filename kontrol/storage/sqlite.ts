import type { KontrolQuery } from "../../src/protocol/query.ts";
import type { SqliteRow, SqliteStatement } from "../../src/runtime/sqlite.ts";
import { canonicalId, checkRegistration, idTakenError } from "./check.ts";
import { ignoreError } from "./failure.ts";
import { RegistrationIndex } from "./registration_index.ts";
import { createMatcher } from "./matcher.ts";
import { Repeater } from "./repeater.ts";
import { SqliteClock } from "./sqlite_clock.ts";
import { SqliteEvents } from "./sqlite_events.ts";
import { SqliteInvites } from "./sqlite_invites.ts";
import { SqliteKeyPairs } from "./sqlite_key_pairs.ts";
import { checkSqliteOptions, type SqliteStorageOptions } from "./sqlite_options.ts";
import { SqliteRunner } from "./sqlite_runner.ts";
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
import { isSameKite, plain, WatchHub } from "./watch_hub.ts";

const DEFAULT_POLL_INTERVAL = 250;

/** Rows refreshed in one transaction. Other work runs between two transactions. */
const REFRESH_BATCH = 500;

/** A registration in memory. */
interface Entry extends Registration {
  updatedAt: number;
}

/**
 * A storage in an SQLite database, which needs no server. Several Kontrols on one machine may share
 * the file. Queries are answered from memory, after the changes of other processes have been read.
 *
 * @example
 * ```ts
 * import { SqliteStorage } from "@kite/kite/kontrol";
 *
 * await using storage = new SqliteStorage({ path: ":memory:" });
 * await storage.ready();
 * ```
 */
export class SqliteStorage implements Storage {
  readonly kind = "sqlite";
  readonly keyPairs: KeyPairs;
  readonly invites: Invites;
  readonly #owner: string = crypto.randomUUID();
  readonly #timeToLive: number;
  readonly #onError: (error: unknown) => void;
  readonly #runner: SqliteRunner;
  readonly #clock: SqliteClock;
  readonly #events: SqliteEvents;
  readonly #known = new RegistrationIndex<Entry>();
  readonly #hub: WatchHub<Entry>;
  readonly #find: SqliteStatement;
  readonly #put: SqliteStatement;
  readonly #touch: SqliteStatement;
  readonly #remove: SqliteStatement;
  readonly #dataVersion: SqliteStatement;
  readonly #all: SqliteStatement;
  readonly #total: SqliteStatement;
  readonly #expired: SqliteStatement;
  readonly #anyExpired: SqliteStatement;
  readonly #poller: Repeater;
  #sweptAt = 0;
  /** True while the hub knows every registration, if it has read all events. */
  #isFollowing = false;
  /** Changes when another connection has written to the database. */
  #seenVersion: unknown;

  /**
   * Opens the database and creates its tables if needed.
   *
   * @throws {KiteError} `configError` or `storageError`: the file cannot be opened or set up, an option is invalid
   */
  constructor(options: SqliteStorageOptions) {
    checkSqliteOptions(options);
    this.#timeToLive = options.timeToLive ?? DEFAULT_TIME_TO_LIVE;
    this.#onError = options.onError ?? ignoreError;
    const pollInterval = options.pollInterval ?? DEFAULT_POLL_INTERVAL;
    this.#poller = new Repeater(pollInterval, () => this.#poll(), this.#onError);
    this.#hub = new WatchHub(this.#known, {
      onError: this.#onError,
      onIdle: () => this.#poller.stop(),
    });
    this.#runner = new SqliteRunner(
      options.path,
      options.operationTimeout ?? DEFAULT_OPERATION_TIMEOUT,
    );
    const { database } = this.#runner;
    this.keyPairs = new SqliteKeyPairs(this.#runner);
    this.invites = new SqliteInvites(this.#runner);
    const clock = this.#clock = new SqliteClock(database);
    this.#events = new SqliteEvents(database, () => clock.now());
    this.#find = database.prepare("SELECT * FROM registration WHERE id = ?");
    this.#put = database.prepare(
      "INSERT OR REPLACE INTO registration VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    );
    this.#touch = database.prepare(
      "UPDATE registration SET updated_at = ? WHERE id = ? AND updated_at > ?",
    );
    this.#remove = database.prepare("DELETE FROM registration WHERE id = ?");
    this.#all = database.prepare("SELECT * FROM registration");
    this.#total = database.prepare("SELECT count(*) AS kites FROM registration");
    this.#expired = database.prepare("SELECT * FROM registration WHERE updated_at <= ?");
    this.#anyExpired = database.prepare(
      "SELECT 1 FROM registration WHERE updated_at <= ? LIMIT 1",
    );
    this.#dataVersion = database.prepare("PRAGMA data_version");
  }

  async get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]> {
    const matcher = createMatcher(query);
    return await this.#consult("read the registrations", options, (isLive) => {
      return this.#known.find(matcher, options?.limit ?? Infinity, isLive).map(plain);
    });
  }

  async upsert(registration: Registration, options?: OperationOptions): Promise<void> {
    const checked = checkRegistration(registration);
    await this.#runner.write("add a registration", options, () => {
      this.#sweepIfDue();
      this.#upsert(checked);
    });
    this.#readEvents();
  }

  async refresh(ids: readonly string[], options?: OperationOptions): Promise<string[]> {
    const missing: string[] = [];
    const touch = (id: string): boolean => {
      const time = this.#clock.now();
      const isAlive = this.#touch.run(time, canonicalId(id), time - this.#timeToLive) > 0;
      if (isAlive) this.#keepTime(canonicalId(id), time);
      return isAlive;
    };
    for (let start = 0; start < ids.length; start += REFRESH_BATCH) {
      // A timer, since Deno does not look at the network while immediates follow each other.
      if (start > 0) await new Promise((resolve) => setTimeout(resolve, 0));
      const batch = ids.slice(start, start + REFRESH_BATCH);
      const gone = await this.#runner.write("refresh the registrations", options, () => {
        this.#sweepIfDue();
        return batch.filter((id) => !touch(id));
      });
      missing.push(...gone);
    }
    return missing;
  }

  async delete(id: string, options?: DeleteOptions): Promise<boolean> {
    const isDeleted = await this.#runner.write("delete a registration", options, () => {
      const row = this.#find.get(canonicalId(id));
      if (row === undefined || (options?.ifOurs === true && row.owner !== this.#owner)) {
        return false;
      }
      this.#forget(toRegistration(row));
      return this.#isLive(row);
    });
    this.#readEvents();
    return isDeleted;
  }

  async watch(
    query: KontrolQuery,
    listener: StorageListener,
    options?: OperationOptions,
  ): Promise<Watch> {
    const matcher = createMatcher(query);
    await this.#runner.write("remove expired registrations", options, () => this.#sweep());
    return await this.#runner.write("watch the registrations", options, () => {
      if (!this.#catchUp()) this.#readEverything();
      this.#poller.start();
      return this.#hub.add(matcher, listener, options?.signal);
    });
  }

  onLoss(listener: LossListener): Disposable {
    this.#poller.start();
    return this.#hub.onLoss(listener);
  }

  async count(options?: OperationOptions): Promise<Map<string, number>> {
    return await this.#consult("count the registrations", options, (isLive) => {
      return this.#known.countByEnvironment(isLive);
    });
  }

  async ready(options?: OperationOptions): Promise<void> {
    await this.#runner.write("write to the database", options, () => this.#find.get(""));
  }

  /** Closes the database; running watches end. */
  // deno-lint-ignore require-await -- the interface requires a promise
  async [Symbol.asyncDispose](): Promise<void> {
    this.#hub.close();
    this.#poller.stop();
    this.#runner.close();
  }

  /** Runs `work` on the registrations in memory, after the changes of other processes are known. */
  async #consult<Result>(
    what: string,
    options: OperationOptions | undefined,
    work: (isLive: (entry: Entry) => boolean) => Result,
  ): Promise<Result> {
    const run = (): { result: Result } => {
      const oldest = this.#oldest();
      return { result: work((entry) => this.#isLiveEntry(entry, oldest)) };
    };
    const found = await this.#runner.read(what, options, () => {
      return this.#catchUp() ? run() : undefined;
    }) ?? await this.#runner.snapshot(what, options, () => {
      this.#readEverything();
      return run();
    });
    return found.result;
  }

  #upsert(registration: Registration): void {
    const { kite, url, keyId } = registration;
    const row = this.#find.get(kite.id);
    let isChange = true;
    if (row !== undefined) {
      const known = toRegistration(row);
      const isLive = this.#isLive(row);
      if (isLive && known.kite.username !== kite.username) throw idTakenError(kite.id);
      if (isLive && isSameKite(known, registration)) {
        isChange = known.url !== url || known.keyId !== keyId;
      } else {
        this.#forget(known);
      }
    }
    const time = this.#clock.now();
    const fields = [kite.username, kite.environment, kite.name, kite.version, kite.region];
    this.#put.run(kite.id, ...fields, kite.hostname, url, keyId, this.#owner, time);
    if (isChange) this.#events.write("REGISTER", { ...registration, updatedAt: time });
    else this.#keepTime(kite.id, time);
  }

  /** Removes a row and records the event for the watches of all processes. */
  #forget(registration: Registration): void {
    this.#remove.run(registration.kite.id);
    this.#events.write("DEREGISTER", registration);
  }

  /** Gives the hub every registration. Call it inside a transaction or snapshot. */
  #readEverything(): void {
    this.#hub.reset(this.#all.all().map(toRegistration));
    this.#events.skip();
    this.#isFollowing = true;
    this.#seenVersion = this.#dataVersion.get()?.data_version;
  }

  /** Reads new events. Returns false if the hub does not know every registration. */
  #catchUp(): boolean {
    if (!this.#isFollowing || !this.#events.readInto(this.#hub)) return false;
    const version = this.#dataVersion.get()?.data_version;
    if (version === this.#seenVersion) return true;
    this.#seenVersion = version;
    return this.#hasAll();
  }

  /** Removes expired registrations. Call it inside a transaction. */
  #sweep(): void {
    this.#clock.publish();
    this.#sweptAt = this.#clock.now();
    for (const row of this.#expired.all(this.#oldest())) this.#forget(toRegistration(row));
    this.#events.prune();
  }

  #sweepIfDue(): void {
    this.#clock.publish();
    if (this.#clock.now() - this.#sweptAt > this.#timeToLive) this.#sweep();
  }

  /** Delivers new events. A failure is only reported, since the next poll reads them again. */
  #readEvents(): void {
    if (!this.#isFollowing) return;
    try {
      this.#events.readInto(this.#hub);
    } catch (error) {
      this.#onError(error);
    }
  }

  async #poll(): Promise<void> {
    const isUpToDate = await this.#runner.read("look for changes", undefined, () => {
      return this.#anyExpired.get(this.#oldest()) === undefined && this.#catchUp() &&
        this.#hasAll();
    });
    if (isUpToDate) return;
    await this.#runner.write("remove expired registrations", undefined, () => this.#sweep());
    await this.#runner.write("look for changes", undefined, () => {
      if (this.#hub.isIdle) return;
      if (!this.#catchUp() || !this.#hasAll()) this.#readEverything();
    });
  }

  /** False if another program changed rows without recording events. */
  #hasAll(): boolean {
    return Number(this.#total.get()?.kites) === this.#known.size;
  }

  /** Keeps when a registration was refreshed, which is not an event. */
  #keepTime(id: string, time: number): void {
    const entry = this.#known.get(id);
    if (entry !== undefined) entry.updatedAt = time;
  }

  /** True if the registration has not expired. Another process may have refreshed it. */
  #isLiveEntry(entry: Entry, oldest: number): boolean {
    if (entry.updatedAt > oldest) return true;
    const row = this.#find.get(entry.kite.id);
    if (row === undefined) return false;
    entry.updatedAt = Number(row.updated_at);
    return entry.updatedAt > oldest;
  }

  #oldest(): number {
    return this.#clock.now() - this.#timeToLive;
  }

  #isLive(row: SqliteRow): boolean {
    return Number(row.updated_at) > this.#oldest();
  }
}

function toRegistration(row: SqliteRow): Entry {
  return {
    kite: {
      username: String(row.username),
      environment: String(row.environment),
      name: String(row.name),
      version: String(row.version),
      region: String(row.region),
      hostname: String(row.hostname),
      id: String(row.id),
    },
    url: String(row.url),
    keyId: String(row.key_id),
    updatedAt: Number(row.updated_at),
  };
}
