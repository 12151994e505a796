import { formatIdentity } from "../../src/protocol/identity.ts";
import type { KontrolQuery } from "../../src/protocol/query.ts";
import { canonicalId, checkRegistration, idTakenError } from "./check.ts";
import { endOf, EtcdClient } from "./etcd_client.ts";
import { EtcdFeed, type LeasedRegistration } from "./etcd_feed.ts";
import { EtcdInvites } from "./etcd_invites.ts";
import { EtcdKeyPairs } from "./etcd_key_pairs.ts";
import { EtcdKeys } from "./etcd_keys.ts";
import type { EtcdEntry, EtcdStep } from "./etcd_member.ts";
import { checkEtcdOptions, type EtcdStorageOptions } from "./etcd_options.ts";
import { EtcdReplica } from "./etcd_replica.ts";
import { ignoreError, storageError } from "./failure.ts";
import { RegistrationIndex } from "./registration_index.ts";
import { createMatcher, type Matcher } from "./matcher.ts";
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

const DEFAULT_FRESHNESS = 10;

const DEFAULT_CHECK_INTERVAL = 5_000;

/** IDs looked up in one transaction; etcd allows 128 operations. */
const READ_BATCH = 100;

/** Leases renewed by one call. */
const REFRESH_BATCH = 1_000;

/** Attempts at a transaction that conflicts with changes of others. */
const ATTEMPTS = 10;

const CONFLICT = `others changed it during all ${ATTEMPTS} attempts`;

/**
 * A storage in etcd, by its v3 API. Each registration has its own lease, granted when the kite is
 * added. The Kontrol that granted the current lease owns the registration.
 *
 * @example
 * ```ts
 * import { EtcdStorage } from "@kite/kite/kontrol";
 *
 * // Connects on the first operation.
 * await using storage = new EtcdStorage({ endpoints: ["http://127.0.0.1:2379"] });
 * console.assert(storage.kind === "etcd");
 * ```
 */
export class EtcdStorage implements Storage {
  readonly kind = "etcd";
  readonly keyPairs: KeyPairs;
  readonly invites: Invites;
  readonly #seconds: number;
  readonly #client: EtcdClient;
  readonly #keys: EtcdKeys;
  readonly #watches: WatchSource<LeasedRegistration>;
  readonly #known = new RegistrationIndex<LeasedRegistration>();
  #feed: EtcdFeed | undefined;
  #replica: EtcdReplica | undefined;
  /** By ID, the leases granted by this storage object. */
  readonly #ours: OwnedIds;

  /**
   * Connects on the first operation.
   *
   * @throws {KiteError} `configError`: an endpoint is not valid
   */
  constructor(options: EtcdStorageOptions = {}) {
    checkEtcdOptions(options);
    const { prefix = "/kites", checkInterval = DEFAULT_CHECK_INTERVAL } = options;
    const { freshness = DEFAULT_FRESHNESS } = options;
    const onError = options.onError ?? ignoreError;
    const timeout = options.operationTimeout ?? DEFAULT_OPERATION_TIMEOUT;
    this.#seconds = Math.ceil((options.timeToLive ?? DEFAULT_TIME_TO_LIVE) / 1_000);
    this.#ours = new OwnedIds(this.#seconds * 1_000);
    this.#client = new EtcdClient(options, timeout);
    this.#keys = new EtcdKeys(prefix);
    this.keyPairs = new EtcdKeyPairs(this.#client, prefix);
    this.invites = new EtcdInvites(this.#client, prefix);
    this.#watches = new WatchSource(this.#known, this.kind, timeout, onError, (hub) => {
      const [client, keys, known] = [this.#client, this.#keys, this.#known];
      const feed = new EtcdFeed(client, keys, known, hub, { checkInterval, onError });
      const start = (): Promise<void> => this.#watches.keep();
      this.#replica = new EtcdReplica({ client, keys, feed, start, onError, freshness });
      return this.#feed = feed;
    });
  }

  async get(query: KontrolQuery, options?: GetOptions): Promise<Registration[]> {
    const matcher = createMatcher(query);
    const { limit = Infinity } = options ?? {};
    if (matcher.canMatch && limit > 0 && await this.#replica?.isCurrent(options)) {
      return this.#known.find(matcher, limit).map(plain);
    }
    const entries = await this.#read(matcher, limit, options);
    return entries.map((entry) => this.#keys.registrationOf(entry))
      .filter((found) => found !== undefined)
      .filter(({ kite }) => matcher.accepts(kite)).slice(0, Math.max(limit, 0)).map(plain);
  }

  async upsert(registration: Registration, options?: OperationOptions): Promise<void> {
    const checked = checkRegistration(registration);
    const what = "add a registration";
    const { id, username } = checked.kite;
    const lease = await this.#client.run(what, options, (member, call) => {
      return member.grantLease(this.#seconds, call);
    });
    // The first attempt assumes that the kite is new, which saves a read in the usual case.
    let known: EtcdEntry | undefined;
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const before = known && this.#keys.registrationOf(known)?.kite;
      if (before !== undefined && before.username !== username) throw idTakenError(id);
      const isSame = before === undefined ||
        formatIdentity(before) === formatIdentity(checked.kite);
      const steps = [
        ...(isSame ? [] : this.#deletions(before)),
        ...this.#keys.paths(checked.kite).map((path) => {
          return { put: path, value: this.#keys.pathValue(checked), lease };
        }),
        { put: this.#keys.id(id), value: this.#keys.idValue(checked), lease },
      ];
      const found = await this.#change(what, id, known, steps, options);
      if (found === true) {
        this.#ours.set(id, lease);
        return;
      }
      known = found;
    }
    throw storageError(this.kind, "failed", what, CONFLICT);
  }

  async refresh(ids: readonly string[], options?: OperationOptions): Promise<string[]> {
    const missing: string[] = [];
    for (let start = 0; start < ids.length; start += REFRESH_BATCH) {
      missing.push(...await this.#refresh(ids.slice(start, start + REFRESH_BATCH), options));
    }
    return missing;
  }

  async delete(id: string, options?: DeleteOptions): Promise<boolean> {
    const what = "delete a registration";
    const canonical = canonicalId(id);
    const lease = this.#ours.get(canonical);
    const range = { key: this.#keys.id(canonical) };
    const { entries } = await this.#client.range(what, range, options);
    let known: EtcdEntry | undefined = entries[0];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const kite = known && this.#keys.registrationOf(known)?.kite;
      if (known === undefined || kite === undefined) return false;
      if (options?.ifOurs === true && known.lease !== lease) return false;
      const steps = [...this.#deletions(kite), { delete: this.#keys.id(canonical) }];
      const found = await this.#change(what, canonical, known, steps, options);
      if (found === true) {
        if (this.#ours.get(canonical) === lease) this.#ours.delete(canonical);
        return true;
      }
      known = found;
    }
    throw storageError(this.kind, "failed", what, CONFLICT);
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
    const prefix = this.#keys.environments;
    const range = { key: prefix, end: endOf(prefix), keysOnly: true };
    const { entries } = await this.#client.range("count the registrations", range, options);
    const counts = new Map<string, number>();
    for (const { key } of entries) {
      const environment = key.slice(prefix.length, key.indexOf("/", prefix.length));
      counts.set(environment, (counts.get(environment) ?? 0) + 1);
    }
    return counts;
  }

  async ready(options?: OperationOptions): Promise<void> {
    const key = this.#keys.kites;
    await this.#client.range("reach a majority of the members", { key, limit: 1 }, options);
  }

  /** Ends running watches and operations, and closes every connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#watches.close();
    this.#client.close();
    await this.#replica?.end();
  }

  async #read(
    matcher: Matcher,
    limit: number,
    options: OperationOptions | undefined,
  ): Promise<EtcdEntry[]> {
    const what = "read the registrations";
    if (!matcher.canMatch || limit <= 0) {
      await this.#client.range(what, { key: this.#keys.kites }, options);
      return [];
    }
    if (matcher.equal.id !== undefined) {
      const range = { key: this.#keys.id(matcher.equal.id) };
      return (await this.#client.range(what, range, options)).entries;
    }
    const { prefix, isExact } = this.#keys.searchPrefix(matcher);
    const range = { key: prefix, end: endOf(prefix), ...(isExact && { limit }) };
    return (await this.#client.range(what, range, options)).entries;
  }

  /**
   * Runs `steps` if the entry of an ID is still `known`.
   *
   * @returns true, or the current entry
   */
  async #change(
    what: string,
    id: string,
    known: EtcdEntry | undefined,
    steps: EtcdStep[],
    options: OperationOptions | undefined,
  ): Promise<true | EtcdEntry | undefined> {
    const key = this.#keys.id(id);
    const { succeeded, revision, read } = await this.#client.run(
      what,
      options,
      (member, call) =>
        member.transact({
          conditions: [{ key, changedAt: known?.revision ?? "0" }],
          steps,
          otherwise: [{ read: key }],
        }, call),
    );
    if (!succeeded) return read[0]?.[0];
    this.#feed?.noteOwnChange(revision);
    return true;
  }

  async #refresh(
    ids: readonly string[],
    options: OperationOptions | undefined,
  ): Promise<string[]> {
    const what = "refresh the registrations";
    const leases = await this.#leases(what, ids, options);
    return await this.#client.run(what, options, async (member, call) => {
      const gone = await member.keepAlive([...new Set(leases.filter(isLease))], call);
      return ids.filter((id, index) => {
        const lease = leases[index];
        const isGone = lease === undefined || gone.has(lease);
        const own = this.#ours.get(canonicalId(id));
        if (isGone) this.#ours.delete(canonicalId(id));
        else if (own === lease) this.#ours.set(canonicalId(id), lease);
        return isGone;
      });
    });
  }

  /** The lease of each ID, from memory if the replica is current. */
  async #leases(
    what: string,
    ids: readonly string[],
    options: OperationOptions | undefined,
  ): Promise<(string | undefined)[]> {
    if (await this.#replica?.isCurrent(options)) {
      return ids.map((id) => this.#known.get(canonicalId(id))?.lease);
    }
    const leases: (string | undefined)[] = [];
    for (let start = 0; start < ids.length; start += READ_BATCH) {
      const steps = ids.slice(start, start + READ_BATCH).map((id) => {
        return { read: this.#keys.id(canonicalId(id)), keysOnly: true };
      });
      const { read } = await this.#client.run(what, options, (member, call) => {
        return member.transact({ steps }, call);
      });
      leases.push(...read.map(([entry]) => entry?.lease));
    }
    return leases;
  }

  #deletions(kite: Registration["kite"]): EtcdStep[] {
    return this.#keys.paths(kite).map((path) => ({ delete: path }));
  }
}

/** False for "0", which means that a key has no lease. */
function isLease(lease: string | undefined): lease is string {
  return lease !== undefined && lease !== "0";
}
