import { KiteError } from "../src/protocol/errors.ts";
import type { Registration, Storage } from "./storage/storage.ts";

/** How long kites are kept, all in milliseconds. */
export interface LivenessOptions {
  /** What kites are asked to send their heartbeats at. @default 10_000 */
  readonly heartbeatInterval?: number;
  /** What a heartbeat may be late before its kite counts as gone. @default 20_000 */
  readonly heartbeatGrace?: number;
  /** How long a kite is kept after its connection has closed, for it to come back. @default 1_000 */
  readonly disconnectGrace?: number;
  /** How often a kite that sends heartbeats is refreshed in the storage. @default 45_000 */
  readonly refreshInterval?: number;
}

/** How a kite keeps itself known here. */
export type Keeper = "connection" | "http";

interface Tracked {
  registration: Registration;
  readonly keeper: Keeper;
  /** Whose connection it is; a later one of the same kite takes over. */
  owner: object | undefined;
  heardAt: number;
  refreshedAt: number;
  /** False once it has missed its heartbeats and was taken out of the storage. */
  isListed: boolean;
  /** When it goes, after its connection has closed. */
  goesAt: number;
}

const DEFAULTS: Required<LivenessOptions> = Object.freeze({
  heartbeatInterval: 10_000,
  heartbeatGrace: 20_000,
  disconnectGrace: 1_000,
  refreshInterval: 45_000,
});

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
  readonly liveness: Required<LivenessOptions>;
  readonly #storage: Storage;
  readonly #onError: (what: string, error: unknown) => void;
  readonly #tracked = new Map<string, Tracked>();
  #timer: ReturnType<typeof setInterval> | undefined;
  /** While there is a kite to keep, what tells that the storage may have lost it. */
  #losses: Disposable | undefined;
  #sweeping = false;
  #isDisposed = false;
  /** By id, what is being done to its registration: one thing after the other. */
  readonly #turns = new Map<string, Promise<void>>();
  /** By id, kites that have gone and could not be removed, for when the storage is back. */
  readonly #left = new Map<string, Tracked>();

  constructor(
    storage: Storage,
    liveness: LivenessOptions,
    onError: (what: string, error: unknown) => void,
  ) {
    this.#storage = storage;
    this.#onError = onError;
    this.liveness = { ...DEFAULTS, ...liveness };
    for (const [name, value] of Object.entries(this.liveness)) {
      if (Number.isFinite(value) && value >= 0) continue;
      throw new KiteError("configError", `${name}: ${value} is not right; give milliseconds`);
    }
  }

  /** Kites that keep themselves known here. */
  get size(): number {
    return this.#tracked.size;
  }

  /** Adds a kite, or takes it over from an earlier connection. */
  add(registration: Registration, keeper: Keeper, owner?: object): Promise<void> {
    const { id } = registration.kite;
    return this.#inTurn(id, async () => {
      await this.#storage.upsert(registration);
      // A call that was running when Kontrol closed: the kite finds another one.
      if (this.#isDisposed) return;
      const now = performance.now();
      this.#left.delete(id);
      this.#track({
        registration,
        keeper,
        owner,
        heardAt: now,
        refreshedAt: now,
        isListed: true,
        goesAt: Infinity,
      });
    });
  }

  /** True if the kite keeps itself known here, in that way. */
  isKept(id: string, keeper: Keeper): boolean {
    return this.#tracked.get(id)?.keeper === keeper;
  }

  /** A heartbeat of a kite. @returns false when it is not kept here in that way */
  heard(id: string, keeper: Keeper, owner?: object): boolean {
    const tracked = this.#tracked.get(id);
    if (tracked?.keeper !== keeper || tracked.owner !== owner) return false;
    tracked.heardAt = performance.now();
    if (!tracked.isListed) void this.#relist(tracked);
    return true;
  }

  /** A kite's connection has closed: it goes, unless it comes back within the grace. */
  disconnected(id: string, owner: object): void {
    const tracked = this.#tracked.get(id);
    if (tracked === undefined || tracked.owner !== owner) return;
    tracked.goesAt = performance.now() + this.liveness.disconnectGrace;
    if (this.liveness.disconnectGrace === 0) void this.sweep();
  }

  /**
   * The storage was away: with the next sweep, every kite is looked for, as it may have been lost, and
   * those are removed that went meanwhile.
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
    this.#rest();
    this.#tracked.clear();
    this.#left.clear();
  }

  /** Lets those go that are late, and refreshes those that are not. Runs by itself twice a second. */
  async sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      const { due, late } = this.#look();
      await inGroups(late, (tracked) => this.#remove(tracked));
      for (let i = 0; i < due.length; i += BATCH) await this.#refresh(due.slice(i, i + BATCH));
    } finally {
      this.#sweeping = false;
    }
    if (this.#tracked.size === 0) this.#rest();
  }

  #track(tracked: Tracked): void {
    this.#tracked.set(tracked.registration.kite.id, tracked);
    this.#timer ??= setInterval(() => void this.sweep(), SWEEP_INTERVAL);
    this.#losses ??= this.#storage.onLoss((id) => this.#suspect(id));
  }

  /** Without kites there is nothing to do. */
  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#losses?.[Symbol.dispose]();
    this.#losses = undefined;
  }

  /** With the next sweep, the kite of that id is looked for in the storage; without an id, all are. */
  #suspect(id: string | undefined): void {
    if (id === undefined) return this.recheck();
    const tracked = this.#tracked.get(id);
    if (tracked !== undefined) tracked.refreshedAt = -Infinity;
  }

  #look(): { due: Tracked[]; late: Tracked[] } {
    const now = performance.now();
    const due: Tracked[] = [];
    const late: Tracked[] = [];
    for (const tracked of this.#tracked.values()) {
      if (this.#isLate(tracked, now)) late.push(tracked);
      else if (tracked.isListed && now - tracked.refreshedAt >= this.liveness.refreshInterval) {
        due.push(tracked);
      }
    }
    return { due, late };
  }

  #isLate({ goesAt, isListed, keeper, heardAt }: Tracked, now: number): boolean {
    if (goesAt <= now) return true;
    const { heartbeatInterval, heartbeatGrace } = this.liveness;
    // Without a connection to close, silence is the only end, also of what could not be put back.
    const canGo = isListed || keeper === "http";
    return canGo && now - heardAt > heartbeatInterval + heartbeatGrace;
  }

  /** A kite whose connection is still there may be heard of again; any other is forgotten. */
  #remove(tracked: Tracked): Promise<void> {
    const { id } = tracked.registration.kite;
    return this.#inTurn(id, async () => {
      // It may have come back while others were removed.
      if (this.#tracked.get(id) !== tracked || !this.#isLate(tracked, performance.now())) return;
      const isGone = tracked.goesAt !== Infinity || tracked.keeper === "http";
      tracked.isListed = false;
      if (isGone) this.#tracked.delete(id);
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
    tracked.isListed = true;
    return this.#inTurn(id, async () => {
      if (this.#tracked.get(id) !== tracked) return;
      try {
        await this.#storage.upsert(tracked.registration);
        tracked.refreshedAt = performance.now();
      } catch (error) {
        tracked.isListed = false;
        this.#onError("a kite could not be put back, which is tried at its next heartbeat", error);
      }
    });
  }

  /** Does one thing after the other to a registration: what came last has the last word. */
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
