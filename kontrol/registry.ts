import { ActiveClock } from "./active_clock.ts";
import type { Allowance } from "./budgets.ts";
import { type Liveness, type LivenessOptions, readLiveness } from "./liveness.ts";
import { ReservedIds } from "./reserved_ids.ts";
import { idTakenError } from "./storage/check.ts";
import type { Registration, Storage } from "./storage/storage.ts";

/** How a kite keeps itself known here. */
export type Keeper = "connection" | "http";

/** When a connection was last heard of, for all kites that it keeps known. */
export interface LifeSign {
  /** Set by the {@linkcode Registry}, in its own time. */
  heardAt?: number;
}

/** What {@linkcode Registry} may be told beside its storage. */
export interface RegistryOptions {
  /**
   * How many kites each user may keep known.
   *
   * @default without a limit
   */
  readonly allowance?: Allowance;
  /** Called when a kite has gone, with the reason. */
  readonly onGone?: (registration: Registration, reason: string) => void;
}

interface Tracked {
  readonly registration: Registration;
  readonly keeper: Keeper;
  /** That of its connection; a later connection of the same kite takes over. */
  readonly life: LifeSign;
  refreshedAt: number;
  /** When it was taken out of the storage for its silence; undefined while it is listed. */
  unlistedAt: number | undefined;
  /** When it goes, after its connection has closed. */
  goesAt: number;
}

/** Milliseconds between two looks at who is late. */
const SWEEP_INTERVAL = 500;

/** Kites refreshed in one operation of the storage. */
const BATCH = 1_000;

/** Kites that wait to be removed once the storage is back, at most; others expire there. */
const MOST_LEFT = 10_000;

/** Kites removed or put back at the same time. */
const AT_ONCE = 32;

/**
 * The kites that keep themselves known at this very Kontrol. The storage holds what all Kontrols
 * know; this holds who is to be refreshed there, and who is late.
 */
export class Registry implements Disposable {
  /** The bounds in force. */
  readonly liveness: Liveness;
  readonly #storage: Storage;
  readonly #onError: (what: string, error: unknown) => void;
  readonly #options: RegistryOptions;
  readonly #clock = new ActiveClock();
  readonly #tracked = new Map<string, Tracked>();
  readonly #reserved = new ReservedIds();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** What tells that the storage has lost kites. */
  #losses: Disposable | undefined;
  #sweeping = false;
  #isDisposed = false;
  /** By id, the latest work on its registration, see {@linkcode Registry.#inTurn}. */
  readonly #turns = new Map<string, Promise<void>>();
  /** By id, kites that have gone and could not be removed because the storage was away. */
  readonly #left = new Map<string, Tracked>();

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
   * Begins to follow what goes from the storage, at this Kontrol or at another one. Without it, the
   * first kite that is added begins it.
   */
  follow(): void {
    this.#losses ??= this.#storage.onLoss((lost) => lost ? this.#lost(lost) : this.recheck());
  }

  /** Kites that keep themselves known here. */
  get size(): number {
    return this.#tracked.size;
  }

  /**
   * Adds a kite, or takes it over from an earlier connection.
   *
   * @param life shared by all kites of one connection
   * @throws {KiteError} `argumentError` `idTaken`: the id belongs to another user; `limitError`
   */
  add(registration: Registration, keeper: Keeper, life: LifeSign = {}): Promise<void> {
    const { id, username } = registration.kite;
    return this.#inTurn(id, async () => {
      const holder = this.#tracked.get(id)?.registration.kite.username ??
        this.#reserved.holderOf(id, performance.now());
      if (holder !== undefined && holder !== username) throw idTakenError(id);
      if (!this.#tracked.has(id)) this.#options.allowance?.check(username);
      await this.#storage.upsert(registration);
      // A call that was running when Kontrol closed: the kite finds another one.
      if (this.#isDisposed) return;
      this.#left.delete(id);
      this.#reserved.release(id);
      life.heardAt = this.#clock.now();
      this.#track({
        registration,
        keeper,
        life,
        refreshedAt: performance.now(),
        unlistedAt: undefined,
        goesAt: Infinity,
      });
    });
  }

  /** True if the kite keeps itself known here, in that way. */
  isKept(id: string, keeper: Keeper): boolean {
    return this.#tracked.get(id)?.keeper === keeper;
  }

  /**
   * A heartbeat of a kite over HTTP.
   *
   * @returns false when it is not kept here in that way
   */
  heard(id: string): boolean {
    const tracked = this.#tracked.get(id);
    if (tracked?.keeper !== "http") return false;
    this.heardFrom(tracked.life);
    return true;
  }

  /**
   * A heartbeat over a connection, for all kites that it keeps known. One that is not listed for its
   * silence is put back with the next sweep.
   */
  heardFrom(life: LifeSign): void {
    life.heardAt = this.#clock.now();
  }

  /** A kite's connection has closed: it goes, unless it comes back within the grace. */
  disconnected(id: string, life: LifeSign): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined || tracked.life !== life) return;
    tracked.goesAt = this.#clock.now() + this.liveness.disconnectGrace;
    if (this.liveness.disconnectGrace === 0) void this.sweep();
  }

  /**
   * With the next sweep, looks for every kite in the storage, which may have lost it, and removes those
   * that went while the storage was away.
   */
  recheck(): void {
    for (const tracked of this.#tracked.values()) tracked.refreshedAt = -Infinity;
    for (const [id, tracked] of this.#left) {
      if (!this.#tracked.has(id)) this.#track({ ...tracked, goesAt: 0 });
    }
    this.#left.clear();
  }

  /** Stops looking after anyone; the storage keeps what it has until it expires there. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#stopSweeping();
    this.#losses?.[Symbol.dispose]();
    for (const tracked of [...this.#tracked.values()]) this.#untrack(tracked);
    this.#left.clear();
    this.#reserved.clear();
  }

  /** Removes kites that are late, and refreshes the others. Runs by itself twice a second. */
  async sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      const { due, late, back } = this.#look();
      await inGroups(late, (tracked) => this.#remove(tracked));
      await inGroups(back, (tracked) => this.#relist(tracked));
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

  /** A kite has gone from the storage: looks for it there if it is ours, else reserves its id. */
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

  #look(): { due: Tracked[]; late: Tracked[]; back: Tracked[] } {
    const [now, active] = [performance.now(), this.#clock.now()];
    const due: Tracked[] = [];
    const late: Tracked[] = [];
    const back: Tracked[] = [];
    for (const tracked of this.#tracked.values()) {
      const { unlistedAt, refreshedAt, life } = tracked;
      if (this.#isLate(tracked, active)) late.push(tracked);
      else if (unlistedAt === undefined) {
        if (now - refreshedAt >= this.liveness.refreshInterval) due.push(tracked);
      } else if ((life.heardAt ?? 0) > unlistedAt) back.push(tracked);
    }
    return { due, late, back };
  }

  /** @param now in the time of the clock that stands still while this process does */
  #isLate({ goesAt, unlistedAt, keeper, life }: Tracked, now: number): boolean {
    if (goesAt <= now) return true;
    const { heartbeatInterval, heartbeatGrace } = this.liveness;
    // Without a connection to close, silence is the only end, also of what could not be put back.
    const canGo = unlistedAt === undefined || keeper === "http";
    return canGo && now - (life.heardAt ?? 0) > heartbeatInterval + heartbeatGrace;
  }

  /** Forgets a kite, unless its connection is still there: then it may be heard of again. */
  #remove(tracked: Tracked): Promise<void> {
    const { registration } = tracked;
    const { id } = registration.kite;
    return this.#inTurn(id, async () => {
      // It may have come back while others were removed.
      const now = this.#clock.now();
      if (this.#tracked.get(id) !== tracked || !this.#isLate(tracked, now)) return;
      const hasClosed = tracked.goesAt !== Infinity;
      const isGone = hasClosed || tracked.keeper === "http";
      tracked.unlistedAt = now;
      if (isGone) {
        this.#untrack(tracked);
        this.#reserve(registration.kite);
      }
      this.#options.onGone?.(registration, hasClosed ? "its connection closed" : "no heartbeat");
      try {
        await this.#storage.delete(id, { ifOurs: true });
      } catch (error) {
        if (isGone && this.#left.size < MOST_LEFT) this.#left.set(id, tracked);
        this.#onError("a kite that has gone could not be removed; it expires by itself", error);
      }
    });
  }

  async #refresh(due: readonly Tracked[]): Promise<void> {
    const now = performance.now();
    // Before the answer: a kite may be lost, and suspected, while it is under way.
    for (const tracked of due) tracked.refreshedAt = now;
    try {
      const lost = new Set(
        await this.#storage.refresh(due.map(({ registration }) => registration.kite.id)),
      );
      const gone = due.filter(({ registration }) => lost.has(registration.kite.id));
      await inGroups(gone, (tracked) => this.#relist(tracked));
    } catch (error) {
      this.#onError("kites could not be refreshed, which is tried again", error);
      // Not with the next sweep already: the storage is away.
      for (const tracked of due) {
        tracked.refreshedAt = now - this.liveness.refreshInterval + SWEEP_INTERVAL * 2;
      }
    }
  }

  /** Puts a kite back into the storage. */
  #relist(tracked: Tracked): Promise<void> {
    const { id } = tracked.registration.kite;
    tracked.unlistedAt = undefined;
    return this.#inTurn(id, async () => {
      if (this.#tracked.get(id) !== tracked) return;
      try {
        await this.#storage.upsert(tracked.registration);
        tracked.refreshedAt = performance.now();
      } catch (error) {
        tracked.unlistedAt = this.#clock.now();
        this.#onError("a kite could not be put back, which is tried at its next heartbeat", error);
      }
    });
  }

  /** Serializes the work on one registration; the last write wins. */
  #inTurn(id: string, work: () => Promise<void>): Promise<void> {
    const before = this.#turns.get(id);
    const turn = before === undefined ? work() : before.then(work, work);
    const done = (): void => {
      if (this.#turns.get(id) === turn) this.#turns.delete(id);
    };
    this.#turns.set(id, turn);
    turn.then(done, done);
    return turn;
  }
}

async function inGroups(
  all: readonly Tracked[],
  work: (tracked: Tracked) => Promise<void>,
): Promise<void> {
  for (let i = 0; i < all.length; i += AT_ONCE) {
    await Promise.all(all.slice(i, i + AT_ONCE).map(work));
  }
}
