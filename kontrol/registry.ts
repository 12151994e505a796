import { ActiveClock } from "./active_clock.ts";
import type { Allowance } from "./budgets.ts";
import { type Liveness, type LivenessOptions, readLiveness } from "./liveness.ts";
import { ReservedIds } from "./reserved_ids.ts";
import { idTakenError } from "./storage/check.ts";
import type { Registration, Storage } from "./storage/storage.ts";

/** How a kite sends its heartbeats. */
export type HeartbeatChannel = "connection" | "http";

/** The last heartbeat of a connection, shared by all kites registered over it. */
export interface LastHeartbeat {
  /** Set by the {@linkcode Registry}, by its own clock. */
  at?: number;
}

/** The options of {@linkcode Registry}. */
export interface RegistryOptions {
  /**
   * The limit of kites per user.
   *
   * @default without a limit
   */
  readonly allowance?: Allowance;
  /** Called when a kite was removed, with the reason. */
  readonly onRemoved?: (registration: Registration, reason: string) => void;
}

interface Tracked {
  readonly registration: Registration;
  readonly channel: HeartbeatChannel;
  /** That of the kite's latest connection. */
  readonly lastHeartbeat: LastHeartbeat;
  refreshedAt: number;
  /** When the kite was removed from the storage because it was silent; undefined while it is there. */
  unlistedAt: number | undefined;
  /** When the kite is removed after its connection closed. */
  removeAt: number;
}

/** Milliseconds between two sweeps. */
const SWEEP_INTERVAL = 500;

/** Kites refreshed in one storage operation. */
const BATCH = 1_000;

/** Maximum number of removals to retry after an outage of the storage; other kites expire there. */
const MAX_PENDING_REMOVALS = 10_000;

/** Kites removed from or added to the storage at the same time. */
const CONCURRENCY = 32;

/**
 * Tracks the kites that send heartbeats to this Kontrol: refreshes them in the storage, which all
 * Kontrols share, and removes those that are silent or disconnected.
 */
export class Registry implements Disposable {
  /** The intervals in effect. */
  readonly liveness: Liveness;
  readonly #storage: Storage;
  readonly #onError: (what: string, error: unknown) => void;
  readonly #options: RegistryOptions;
  readonly #clock = new ActiveClock();
  readonly #tracked = new Map<string, Tracked>();
  readonly #reserved = new ReservedIds();
  #timer: ReturnType<typeof setInterval> | undefined;
  #lossListener: Disposable | undefined;
  #sweeping = false;
  #isDisposed = false;
  /** By ID, the latest work on a registration, see {@linkcode Registry.#serialize}. */
  readonly #latestWork = new Map<string, Promise<void>>();
  /** By ID, kites whose removal failed because the storage was unavailable. */
  readonly #pendingRemovals = new Map<string, Tracked>();

  constructor(
    storage: Storage,
    liveness: LivenessOptions,
    onError: (what: string, error: unknown) => void,
    options: RegistryOptions = {},
  ) {
    this.#storage = storage;
    this.#onError = onError;
    this.#options = options;
    this.liveness = readLiveness(liveness);
  }

  /**
   * Starts to listen for registrations that are removed from the storage, by any Kontrol. The first
   * kite that is added also starts it.
   */
  follow(): void {
    this.#lossListener ??= this.#storage.onLoss((lost) => lost ? this.#lost(lost) : this.recheck());
  }

  /** The number of tracked kites. */
  get size(): number {
    return this.#tracked.size;
  }

  /**
   * Adds a kite, or takes it over from its previous connection.
   *
   * @param lastHeartbeat the one of the connection, shared by all its kites
   * @throws {KiteError} `argumentError` with the code `idTaken`: the ID belongs to another user;
   * `limitError`: the user has too many kites
   */
  add(
    registration: Registration,
    channel: HeartbeatChannel,
    lastHeartbeat: LastHeartbeat = {},
  ): Promise<void> {
    const { id, username } = registration.kite;
    return this.#serialize(id, async () => {
      const holder = this.#tracked.get(id)?.registration.kite.username ??
        this.#reserved.holderOf(id, performance.now());
      if (holder !== undefined && holder !== username) throw idTakenError(id);
      if (!this.#tracked.has(id)) this.#options.allowance?.check(username);
      await this.#storage.upsert(registration);
      // Kontrol was closed during the call; the kite will register at another one.
      if (this.#isDisposed) return;
      this.#pendingRemovals.delete(id);
      this.#reserved.release(id);
      lastHeartbeat.at = this.#clock.now();
      this.#track({
        registration,
        channel,
        lastHeartbeat,
        refreshedAt: performance.now(),
        unlistedAt: undefined,
        removeAt: Infinity,
      });
    });
  }

  /** True if the kite sends heartbeats to this Kontrol over the channel. */
  isKeptAlive(id: string, channel: HeartbeatChannel): boolean {
    return this.#tracked.get(id)?.channel === channel;
  }

  /**
   * Records a heartbeat over HTTP.
   *
   * @returns false if the kite is not registered here over HTTP
   */
  recordHttpHeartbeat(id: string): boolean {
    const tracked = this.#tracked.get(id);
    if (tracked?.channel !== "http") return false;
    this.recordHeartbeat(tracked.lastHeartbeat);
    return true;
  }

  /**
   * Records a heartbeat over a connection, which counts for all its kites. The next sweep adds kites
   * again that were removed because they were silent.
   */
  recordHeartbeat(lastHeartbeat: LastHeartbeat): void {
    lastHeartbeat.at = this.#clock.now();
  }

  /** Removes a kite whose connection closed, unless it reconnects within the grace period. */
  disconnected(id: string, lastHeartbeat: LastHeartbeat): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined || tracked.lastHeartbeat !== lastHeartbeat) return;
    tracked.removeAt = this.#clock.now() + this.liveness.disconnectGrace;
    if (this.liveness.disconnectGrace === 0) void this.sweep();
  }

  /**
   * Makes the next sweep check all kites in the storage, which may have lost them, and retry removals
   * that failed while the storage was unavailable.
   */
  recheck(): void {
    for (const tracked of this.#tracked.values()) tracked.refreshedAt = -Infinity;
    for (const [id, tracked] of this.#pendingRemovals) {
      if (!this.#tracked.has(id)) this.#track({ ...tracked, removeAt: 0 });
    }
    this.#pendingRemovals.clear();
  }

  /** Stops tracking all kites. Their registrations stay in the storage until they expire. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#stopSweeping();
    this.#lossListener?.[Symbol.dispose]();
    for (const tracked of [...this.#tracked.values()]) this.#untrack(tracked);
    this.#pendingRemovals.clear();
    this.#reserved.clear();
  }

  /** Removes late kites, and refreshes the others when due. Runs automatically twice a second. */
  async sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      const { due, late, returned } = this.#classify();
      await inGroups(late, (tracked) => this.#remove(tracked));
      await inGroups(returned, (tracked) => this.#relist(tracked));
      for (let i = 0; i < due.length; i += BATCH) await this.#refresh(due.slice(i, i + BATCH));
    } finally {
      this.#sweeping = false;
    }
    this.#reserved.prune(performance.now());
    if (this.#tracked.size === 0) this.#stopSweeping();
  }

  #track(tracked: Tracked): void {
    const { id, username } = tracked.registration.kite;
    if (!this.#tracked.has(id)) this.#options.allowance?.add(username);
    this.#tracked.set(id, tracked);
    this.follow();
    if (this.#timer !== undefined) return;
    this.#clock.tick();
    this.#timer = setInterval(() => {
      if (this.#clock.tick()) this.recheck();
      void this.sweep();
    }, SWEEP_INTERVAL);
  }

  #stopSweeping(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Handles a removal from the storage: rechecks a tracked kite; reserves the ID of any other. */
  #lost({ kite }: Registration): void {
    const tracked = this.#tracked.get(kite.id);
    if (tracked === undefined) this.#reserve(kite);
    else tracked.refreshedAt = -Infinity;
  }

  #reserve({ id, username }: Registration["kite"]): void {
    this.#reserved.reserve(id, username, performance.now() + this.liveness.idReservation);
  }

  #untrack({ registration: { kite } }: Tracked): void {
    if (this.#tracked.delete(kite.id)) this.#options.allowance?.remove(kite.username);
  }

  #classify(): { due: Tracked[]; late: Tracked[]; returned: Tracked[] } {
    const [now, active] = [performance.now(), this.#clock.now()];
    const due: Tracked[] = [];
    const late: Tracked[] = [];
    const returned: Tracked[] = [];
    for (const tracked of this.#tracked.values()) {
      const { unlistedAt, refreshedAt, lastHeartbeat } = tracked;
      if (this.#isLate(tracked, active)) late.push(tracked);
      else if (unlistedAt === undefined) {
        if (now - refreshedAt >= this.liveness.refreshInterval) due.push(tracked);
      } else if ((lastHeartbeat.at ?? 0) > unlistedAt) returned.push(tracked);
    }
    return { due, late, returned };
  }

  /** @param now the time of the {@linkcode ActiveClock} */
  #isLate({ removeAt, unlistedAt, channel, lastHeartbeat }: Tracked, now: number): boolean {
    if (removeAt <= now) return true;
    const { heartbeatInterval, heartbeatGrace } = this.liveness;
    // A kite with a connection stays tracked until it closes. Over HTTP only silence shows the end.
    const canBeLate = unlistedAt === undefined || channel === "http";
    return canBeLate && now - (lastHeartbeat.at ?? 0) > heartbeatInterval + heartbeatGrace;
  }

  /** Removes a kite from the storage. While its connection is open, it may return later. */
  #remove(tracked: Tracked): Promise<void> {
    const { registration } = tracked;
    const { id } = registration.kite;
    return this.#serialize(id, async () => {
      // It may have returned while other kites were removed.
      const now = this.#clock.now();
      if (this.#tracked.get(id) !== tracked || !this.#isLate(tracked, now)) return;
      const hasClosed = tracked.removeAt !== Infinity;
      const isFinal = hasClosed || tracked.channel === "http";
      tracked.unlistedAt = now;
      if (isFinal) {
        this.#untrack(tracked);
        this.#reserve(registration.kite);
      }
      this.#options.onRemoved?.(registration, hasClosed ? "its connection closed" : "no heartbeat");
      try {
        await this.#storage.delete(id, { ifOurs: true });
      } catch (error) {
        if (isFinal && this.#pendingRemovals.size < MAX_PENDING_REMOVALS) {
          this.#pendingRemovals.set(id, tracked);
        }
        this.#onError("Cannot remove a kite, which will expire", error);
      }
    });
  }

  async #refresh(due: readonly Tracked[]): Promise<void> {
    const now = performance.now();
    // Set before the refresh, since a loss may be reported while it runs.
    for (const tracked of due) tracked.refreshedAt = now;
    try {
      const lost = new Set(
        await this.#storage.refresh(due.map(({ registration }) => registration.kite.id)),
      );
      const missing = due.filter(({ registration }) => lost.has(registration.kite.id));
      await inGroups(missing, (tracked) => this.#relist(tracked));
    } catch (error) {
      this.#onError("Cannot refresh kites, will retry", error);
      // Skip one sweep, since the storage is unavailable.
      for (const tracked of due) {
        tracked.refreshedAt = now - this.liveness.refreshInterval + SWEEP_INTERVAL * 2;
      }
    }
  }

  /** Adds a kite to the storage again. */
  #relist(tracked: Tracked): Promise<void> {
    const { id } = tracked.registration.kite;
    tracked.unlistedAt = undefined;
    return this.#serialize(id, async () => {
      if (this.#tracked.get(id) !== tracked) return;
      try {
        await this.#storage.upsert(tracked.registration);
        tracked.refreshedAt = performance.now();
      } catch (error) {
        tracked.unlistedAt = this.#clock.now();
        this.#onError("Cannot add a kite again, will retry after its next heartbeat", error);
      }
    });
  }

  /** Serializes the work on one registration; the last write wins. */
  #serialize(id: string, work: () => Promise<void>): Promise<void> {
    const previous = this.#latestWork.get(id);
    const latest = previous === undefined ? work() : previous.then(work, work);
    const done = (): void => {
      if (this.#latestWork.get(id) === latest) this.#latestWork.delete(id);
    };
    this.#latestWork.set(id, latest);
    latest.then(done, done);
    return latest;
  }
}

async function inGroups(
  all: readonly Tracked[],
  work: (tracked: Tracked) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < all.length; i += CONCURRENCY) {
    await Promise.all(all.slice(i, i + CONCURRENCY).map(work));
  }
}
